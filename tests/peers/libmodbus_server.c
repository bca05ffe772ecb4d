/* A Modbus server on libmodbus, for tests and benches.
 *
 *   libmodbus_server tcp PORT            (0: any free one)
 *   libmodbus_server rtu PATH BAUD UNIT
 *
 * Prints "ready PORT" or "ready PATH", then serves until its standard input ends. Every table has 2000 addresses from 0
 * on; register n holds n, coil and contact n are set where n is a multiple of 3, input register n holds 65535 - n.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <modbus.h>

#define ADDRESSES 2000
#define CLIENTS 32

static modbus_mapping_t *new_mapping(void) {
    modbus_mapping_t *map = modbus_mapping_new(ADDRESSES, ADDRESSES, ADDRESSES, ADDRESSES);
    if (map == NULL) {
        exit(1);
    }
    for (int n = 0; n < ADDRESSES; n++) {
        map->tab_bits[n] = map->tab_input_bits[n] = n % 3 == 0;
        map->tab_registers[n] = (uint16_t) n;
        map->tab_input_registers[n] = (uint16_t) (65535 - n);
    }
    return map;
}

/* One request and its answer; 0 where the client is gone. */
static int serve_one(modbus_t *context, modbus_mapping_t *map) {
    uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
    int length = modbus_receive(context, query);
    if (length > 0) {
        modbus_reply(context, query, length, map);
    }
    return length >= 0;
}

static int serve_rtu(const char *path, int baud, int unit) {
    modbus_mapping_t *map = new_mapping();
    modbus_t *context = modbus_new_rtu(path, baud, 'N', 8, 1);
    if (context == NULL || modbus_set_slave(context, unit) || modbus_connect(context)) {
        fprintf(stderr, "%s: %s\n", path, modbus_strerror(errno));
        return 1;
    }
    printf("ready %s\n", path);
    fflush(stdout);
    struct pollfd watched[2] = {{STDIN_FILENO, POLLIN, 0}, {modbus_get_socket(context), POLLIN, 0}};
    while (poll(watched, 2, -1) > 0 && watched[0].revents == 0) {
        serve_one(context, map); /* a bad frame is no end of the line */
    }
    return 0;
}

static void accept_one(int listener, struct pollfd *watched, int *count) {
    int one = 1;
    int client = accept(listener, NULL, NULL);
    if (client < 0) {
        return;
    }
    if (*count == CLIENTS) {
        close(client);
        return;
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    watched[*count].fd = client;
    watched[*count].events = POLLIN;
    watched[(*count)++].revents = 0;
}

static int serve_tcp(int port) {
    modbus_mapping_t *map = new_mapping();
    modbus_t *context = modbus_new_tcp("127.0.0.1", port);
    int listener = modbus_tcp_listen(context, CLIENTS);
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    if (listener < 0 || getsockname(listener, (struct sockaddr *) &address, &size)) {
        fprintf(stderr, "port %d: %s\n", port, modbus_strerror(errno));
        return 1;
    }
    printf("ready %d\n", ntohs(address.sin_port));
    fflush(stdout);
    struct pollfd watched[CLIENTS] = {{STDIN_FILENO, POLLIN, 0}, {listener, POLLIN, 0}};
    int count = 2;
    while (poll(watched, (nfds_t) count, -1) > 0 && watched[0].revents == 0) {
        for (int i = count - 1; i > 1; i--) {
            if (watched[i].revents == 0) {
                continue;
            }
            modbus_set_socket(context, watched[i].fd);
            if (!serve_one(context, map)) {
                close(watched[i].fd);
                watched[i] = watched[--count];
            }
        }
        if (watched[1].revents) {
            accept_one(listener, watched, &count);
        }
    }
    return 0;
}

int main(int count, char **words) {
    if (count == 3 && strcmp(words[1], "tcp") == 0) {
        return serve_tcp(atoi(words[2]));
    }
    if (count == 5 && strcmp(words[1], "rtu") == 0) {
        return serve_rtu(words[2], atoi(words[3]), atoi(words[4]));
    }
    fprintf(stderr, "usage: libmodbus_server tcp PORT | rtu PATH BAUD UNIT\n");
    return 2;
}
