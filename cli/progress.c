/* SPDX-License-Identifier: Apache-2.0 */
/* The bar. */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define SILENT_MS 2000
#define DRAW_INTERVAL_MS 100
#define WIDTH 30

void progress_show(struct progress *p, double part)
{
    char bar[WIDTH + 1];
    int64_t now = clock_mono_ms();
    double known = part < 0 ? 0 : (part > 1 ? 1 : part);
    int full = (int)(known * WIDTH);

    p->begun_ms = p->begun_ms != 0 ? p->begun_ms : now;
    bool early = (!p->at_once && now - p->begun_ms < SILENT_MS) || now - p->drawn_ms < DRAW_INTERVAL_MS;
    if (p->cli->quiet || early || isatty(STDERR_FILENO) != 1) {
        return;
    }
    memset(bar, ' ', WIDTH);
    memset(bar, '#', (size_t)full);
    bar[WIDTH] = '\0';
    p->shown = true;
    p->drawn_ms = now;
    (void)fprintf(stderr, "\r\033[K%s [%s] %3d %%", p->what, bar, (int)(known * 100));
}

void progress_end(struct progress *p)
{
    if (p->shown) {
        (void)fprintf(stderr, "\r\033[K");
        p->shown = false;
    }
}
