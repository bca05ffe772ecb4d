/* A Modbus client on libmodbus, for tests and benches.
 *
 *   libmodbus_client tcp PORT UNIT
 *   libmodbus_client rtu PATH BAUD UNIT
 *
 * Reads commands from its standard input, one a line, and prints one line for each: "ok" and the values, or "error" and
 * libmodbus' words for it.
 *
 *   1|2|3|4 ADDRESS COUNT            15|16 ADDRESS VALUE ...
 *   5|6 ADDRESS VALUE                22 ADDRESS AND OR
 *   17                               23 READ_ADDRESS COUNT WRITE_ADDRESS VALUE ...
 *   bench MILLISECONDS ADDRESS COUNT     holding registers, as fast as it goes: "ok READS CPU_MICROSECONDS"
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <modbus.h>

#define VALUES 2000

static uint8_t bits[VALUES];
static uint16_t words16[VALUES];

static long long now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static long long cpu_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void bench(modbus_t *context, int milliseconds, int address, int count) {
    long long end = now_us() + milliseconds * 1000LL;
    long long cpu = cpu_us();
    long reads = 0;
    while (now_us() < end) {
        if (modbus_read_registers(context, address, count, words16) != count) {
            printf("error %s\n", modbus_strerror(errno));
            return;
        }
        reads++;
    }
    printf("ok %ld %lld\n", reads, cpu_us() - cpu);
}

static void print_bits(int done) {
    printf("ok");
    for (int i = 0; i < done; i++) {
        printf(" %d", bits[i]);
    }
    printf("\n");
}

static void print_words(int done) {
    printf("ok");
    for (int i = 0; i < done; i++) {
        printf(" %d", words16[i]);
    }
    printf("\n");
}

static void answer(modbus_t *context, int function, const int *given, int count) {
    int done = -1;
    const int *values = given + (function == 23 ? 3 : 1);
    int written = count - (function == 23 ? 3 : 1);
    for (int i = 0; i < written; i++) {
        bits[i] = (uint8_t) values[i];
        words16[i] = (uint16_t) values[i];
    }
    uint16_t sent[VALUES];
    memcpy(sent, words16, sizeof sent);
    switch (function) {
    case 1: done = modbus_read_bits(context, given[0], given[1], bits); break;
    case 2: done = modbus_read_input_bits(context, given[0], given[1], bits); break;
    case 3: done = modbus_read_registers(context, given[0], given[1], words16); break;
    case 4: done = modbus_read_input_registers(context, given[0], given[1], words16); break;
    case 5: done = modbus_write_bit(context, given[0], given[1]); break;
    case 6: done = modbus_write_register(context, given[0], (uint16_t) given[1]); break;
    case 15: done = modbus_write_bits(context, given[0], written, bits); break;
    case 16: done = modbus_write_registers(context, given[0], written, sent); break;
    case 17: done = modbus_report_slave_id(context, 250, bits); break;
    case 22: done = modbus_mask_write_register(context, given[0], (uint16_t) given[1], (uint16_t) given[2]); break;
    case 23:
        done = modbus_write_and_read_registers(context, given[2], written, sent, given[0], given[1], words16);
        break;
    default: errno = EINVAL;
    }
    if (done < 0) {
        printf("error %s\n", modbus_strerror(errno));
    } else if (function <= 2 || function == 17) {
        print_bits(done);
    } else if (function <= 4 || function == 23) {
        print_words(done);
    } else {
        printf("ok\n");
    }
}

static void obey(modbus_t *context, char *line) {
    int given[VALUES];
    int count = 0;
    char *word = strtok(line, " \n");
    if (word == NULL) {
        return;
    }
    char *command = word;
    while ((word = strtok(NULL, " \n")) != NULL && count < VALUES) {
        given[count++] = atoi(word);
    }
    if (strcmp(command, "bench") == 0 && count == 3) {
        bench(context, given[0], given[1], given[2]);
    } else {
        answer(context, atoi(command), given, count);
    }
    fflush(stdout);
}

int main(int count, char **words) {
    static char line[65536];
    modbus_t *context = NULL;
    if (count == 4 && strcmp(words[1], "tcp") == 0) {
        context = modbus_new_tcp("127.0.0.1", atoi(words[2]));
    } else if (count == 5 && strcmp(words[1], "rtu") == 0) {
        context = modbus_new_rtu(words[2], atoi(words[3]), 'N', 8, 1);
    }
    if (context == NULL || modbus_set_slave(context, atoi(words[count - 1])) || modbus_connect(context)) {
        fprintf(stderr, "usage: libmodbus_client tcp PORT UNIT | rtu PATH BAUD UNIT (%s)\n", modbus_strerror(errno));
        return 2;
    }
    modbus_set_response_timeout(context, 2, 0);
    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        obey(context, line);
    }
    return 0;
}
