/* SPDX-License-Identifier: Apache-2.0 */
/* What systemd wants to hear from a service of Type=notify. Without systemd nothing happens. */
#ifndef SLUICE_RUNTIME_NOTIFY_H
#define SLUICE_RUNTIME_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * "READY=1", "STOPPING=1", "WATCHDOG=1". False = nobody to tell, or not told; never an error for the caller.
 * Thread: any. Protocol: sd_notify(3).
 */
bool notify_send(const char *state);

/* How often systemd wants WATCHDOG=1 at least, in milliseconds; 0 = not at all. */
int64_t notify_watchdog_ms(void);

#endif
