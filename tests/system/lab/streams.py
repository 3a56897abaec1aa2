"""TCP streams put together out of a capture, and whether all of a stream is TLS records."""
from . import frames

RECORD_TYPES = (20, 21, 22, 23)  # RFC 8446 §5.1
LARGEST_RECORD = (1 << 14) + 256


def put_together(captured):
    """{(source, port, destination, port, initial sequence number): bytes}, each from its SYN to the first gap."""
    pieces, current = {}, {}
    for frame in captured:
        parsed = frame.parsed()
        if parsed.protocol != frames.TCP or parsed.sequence is None:
            continue
        pair = (parsed.source, parsed.source_port, parsed.destination, parsed.destination_port)
        if parsed.flags & frames.SYN:
            current[pair] = (*pair, parsed.sequence)
            pieces.setdefault(current[pair], {})
        elif pair in current and parsed.payload:
            place = (parsed.sequence - current[pair][4] - 1) % (1 << 32)
            here = pieces[current[pair]]
            if len(parsed.payload) > len(here.get(place, b"")):
                here[place] = parsed.payload
    return {key: _in_order(here) for key, here in pieces.items()}


def _in_order(pieces):
    out = b""
    for place in sorted(pieces):
        if place > len(out):
            break
        out += pieces[place][len(out) - place:]
    return out


def not_tls(data):
    """Where and how the stream stops being TLS records; None if it never does. The last record may be cut off."""
    at = 0
    while at < len(data):
        head = data[at:at + 5]
        if head[0] not in RECORD_TYPES or (len(head) > 1 and head[1] != 3):
            return f"byte {at}: {data[at:at + 12]!r}"
        if len(head) < 5:
            return None
        size = head[3] << 8 | head[4]
        if size > LARGEST_RECORD:
            return f"byte {at}: a record of {size} bytes"
        at += 5 + size
    return None
