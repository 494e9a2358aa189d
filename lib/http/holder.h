/* SPDX-License-Identifier: Apache-2.0 */
/* Who listens on a port of this machine: read from /proc, so that no tool is needed. */
#ifndef SLUICE_HTTP_HOLDER_H
#define SLUICE_HTTP_HOLDER_H

#include <stdbool.h>
#include <sys/types.h>

#define HOLDER_COMMAND_MAX 96

struct port_holder {
    pid_t pid;                        /* 0: of another user, which only root can see */
    char command[HOLDER_COMMAND_MAX]; /* its command line, cut, without control characters; "" with pid 0 */
};

/* False: nobody listens there, over IPv4 or IPv6. The first one found, where several share the port. */
bool port_holder_find(unsigned port, struct port_holder *out);

#endif
