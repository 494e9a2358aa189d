/* SPDX-License-Identifier: Apache-2.0 */
/* One datagram to $NOTIFY_SOCKET; its two variables are systemd's, not options of ours. */
#include "runtime/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/option.h"

bool notify_send(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    size_t n = path == NULL ? 0 : strlen(path);
    if (n < 2 || n >= sizeof sa.sun_path || (path[0] != '/' && path[0] != '@')) {
        return false;
    }
    memcpy(sa.sun_path, path, n);
    if (path[0] == '@') {
        sa.sun_path[0] = '\0'; /* abstract name space */
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    socklen_t sa_n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&sa, sa_n);
    (void)close(fd);
    return sent == (ssize_t)strlen(state);
}

int64_t notify_watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    int64_t value = 0;
    if (usec == NULL || !option_parse_int(usec, 1, INT64_MAX, &value)) {
        return 0;
    }
    return value / 1000 > 0 ? value / 1000 : 1;
}
