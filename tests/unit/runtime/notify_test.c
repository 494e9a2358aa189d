/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams to systemd, received by the test itself. */
#include "runtime/notify.h"

#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void expect_state(const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    memcpy(sa.sun_path, path, n);
    sa.sun_path[0] = path[0] == '@' ? '\0' : path[0];
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    socklen_t sa_n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    cr_assert_eq(bind(fd, (const struct sockaddr *)&sa, sa_n), 0);
    (void)setenv("NOTIFY_SOCKET", path, 1);
    cr_assert(notify_send("READY=1"));
    char got[32] = {0};
    cr_assert_eq(recv(fd, got, sizeof got - 1, MSG_DONTWAIT), 7);
    cr_assert_str_eq(got, "READY=1");
    (void)close(fd);
}

Test(notify, reaches_sockets_with_a_path_and_abstract_ones)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/tmp/sluice_notify_test.%d", (int)getpid());
    expect_state(path);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "@sluice_notify_test.%d", (int)getpid());
    expect_state(path);
}

Test(notify, without_systemd_nothing_happens)
{
    (void)unsetenv("NOTIFY_SOCKET");
    cr_assert_not(notify_send("READY=1"));
    (void)setenv("NOTIFY_SOCKET", "relative", 1);
    cr_assert_not(notify_send("READY=1"));
    (void)setenv("NOTIFY_SOCKET", "/no/such/socket", 1);
    cr_assert_not(notify_send("READY=1"));
}

Test(notify, reads_the_watchdog_interval)
{
    (void)unsetenv("WATCHDOG_USEC");
    cr_assert_eq(notify_watchdog_ms(), 0);
    (void)setenv("WATCHDOG_USEC", "30000000", 1);
    cr_assert_eq(notify_watchdog_ms(), 30000);
    (void)setenv("WATCHDOG_USEC", "3e7", 1);
    cr_assert_eq(notify_watchdog_ms(), 0);
}
