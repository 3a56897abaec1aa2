"""The lab: a gateway between network namespaces that stand for hosts, judged by captures of every wire."""
