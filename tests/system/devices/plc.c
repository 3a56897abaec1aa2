/* The lab's PLC: a Modbus/TCP server as plain as they come, on libmodbus. Holding register N holds
 * 1000 + N. usage: plc PORT. Prints one line per connection and per request, so that a check can
 * say that the PLC heard nothing. */
#include <arpa/inet.h>
#include <errno.h>
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kRegisters = 200, kFirstValue = 1000, kBacklog = 64 };

static void print_connection(int descriptor) {
  struct sockaddr_storage peer;
  socklen_t size = sizeof peer;
  char text[INET6_ADDRSTRLEN] = "?";
  if (getpeername(descriptor, (struct sockaddr*)&peer, &size) == 0 && peer.ss_family == AF_INET6) {
    struct sockaddr_in6 v6;
    memcpy(&v6, &peer, sizeof v6);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  }
  printf("connection from %s\n", text);
}

/* False when the peer is gone. */
static int serve_one(modbus_t* modbus, modbus_mapping_t* mapping, int descriptor) {
  uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
  modbus_set_socket(modbus, descriptor);
  const int size = modbus_receive(modbus, query);
  if (size < 0) return 0;
  if (size >= 8) printf("request unit %d function %d\n", query[6], query[7]);
  return modbus_reply(modbus, query, size, mapping) >= 0;
}

static void serve(modbus_t* modbus, modbus_mapping_t* mapping, int listener) {
  fd_set all;
  FD_ZERO(&all);
  FD_SET(listener, &all);
  int highest = listener;
  for (;;) {
    fd_set ready = all;
    if (select(highest + 1, &ready, NULL, NULL, NULL) < 0 && errno != EINTR) exit(1);
    for (int descriptor = 0; descriptor <= highest; ++descriptor) {
      if (!FD_ISSET(descriptor, &ready)) continue;
      if (descriptor == listener) {
        const int accepted = accept(listener, NULL, NULL);
        if (accepted < 0 || accepted >= FD_SETSIZE) continue;
        print_connection(accepted);
        FD_SET(accepted, &all);
        if (accepted > highest) highest = accepted;
      } else if (!serve_one(modbus, mapping, descriptor)) {
        printf("connection ended\n");
        FD_CLR(descriptor, &all);
        close(descriptor);
      }
    }
  }
}

int main(int count, char** arguments) {
  if (count != 2) {
    fprintf(stderr, "usage: plc PORT\n");
    return 2;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  modbus_t* modbus = modbus_new_tcp_pi("::", arguments[1]);
  modbus_mapping_t* mapping = modbus_mapping_new(kRegisters, kRegisters, kRegisters, kRegisters);
  if (modbus == NULL || mapping == NULL) return 1;
  for (int i = 0; i < kRegisters; ++i) mapping->tab_registers[i] = (uint16_t)(kFirstValue + i);
  const int listener = modbus_tcp_pi_listen(modbus, kBacklog);
  if (listener < 0) {
    fprintf(stderr, "plc: cannot listen: %s\n", modbus_strerror(errno));
    return 1;
  }
  printf("listening\n");
  serve(modbus, mapping, listener);
  return 0;
}
