/* The lab's SCADA station: a libmodbus client.
 * usage: scada HOST PORT read ADDRESS COUNT      prints the registers on one line
 *        scada HOST PORT write ADDRESS VALUE     prints "written"
 *        scada HOST PORT poll ADDRESS PERIOD_MS  reads one register for ever on one connection: "ok
 * N" or "lost N REASON" Exit status 0 when the answer came, 1 when not. */
#include <errno.h>
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { kMostRegisters = 100, kAnswerSeconds = 3, kPollSeconds = 10 };

static int read_registers(modbus_t* modbus, int address, int count) {
  uint16_t values[kMostRegisters];
  if (count < 1 || count > kMostRegisters ||
      modbus_read_registers(modbus, address, count, values) != count)
    return 0;
  for (int i = 0; i < count; ++i) printf("%s%u", i == 0 ? "" : " ", values[i]);
  printf("\n");
  return 1;
}

static int poll_for_ever(modbus_t* modbus, int address, int period_ms) {
  const struct timespec pause = {period_ms / 1000, (period_ms % 1000) * 1000000L};
  for (unsigned turn = 1;; ++turn) {
    uint16_t value = 0;
    if (modbus_read_registers(modbus, address, 1, &value) != 1) {
      printf("lost %u %s\n", turn, modbus_strerror(errno));
      return 0;
    }
    printf("ok %u\n", turn);
    nanosleep(&pause, NULL);
  }
}

int main(int count, char** arguments) {
  if (count != 6) {
    fprintf(stderr, "usage: scada HOST PORT read|write|poll ADDRESS COUNT|VALUE|PERIOD_MS\n");
    return 2;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  const int address = atoi(arguments[4]);
  const int number = atoi(arguments[5]);
  modbus_t* modbus = modbus_new_tcp_pi(arguments[1], arguments[2]);
  if (modbus == NULL) return 1;
  const int polls = strcmp(arguments[3], "poll") == 0;
  modbus_set_response_timeout(modbus, polls ? kPollSeconds : kAnswerSeconds, 0);
  modbus_set_slave(modbus, 1);
  int done = 0;
  if (modbus_connect(modbus) == 0) {
    if (strcmp(arguments[3], "read") == 0) done = read_registers(modbus, address, number);
    if (polls) done = poll_for_ever(modbus, address, number);
    if (strcmp(arguments[3], "write") == 0) {
      done = modbus_write_register(modbus, address, (uint16_t)number) == 1;
      if (done) printf("written\n");
    }
  }
  if (!done) fprintf(stderr, "scada: %s\n", modbus_strerror(errno));
  modbus_close(modbus);
  modbus_free(modbus);
  return done ? 0 : 1;
}
