/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/callback_clock.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/metric.h"

bool callback_clock_tell(int64_t skew_us, int64_t unsure_us, int64_t limit_ms, bool was, char detail[CLOCK_DETAIL_MAX])
{
    bool skewed = llabs(skew_us) - unsure_us > limit_ms * 1000;
    metric_set(metric_gauge("sluice_gateway_clock_skew_seconds", "How far PostgreSQL's clock is ahead of ours.", NULL),
               (double)skew_us / 1e6);
    detail[0] = '\0';
    if (skewed) {
        (void)snprintf(detail, CLOCK_DETAIL_MAX, "PostgreSQL is %.1f s %s this machine", (double)llabs(skew_us) / 1e6,
                       skew_us < 0 ? "behind" : "ahead of");
        log_error("gateway", "clocks differ: calls of channels may be refused as too old or too new",
                  KV_S("skew", detail));
    } else if (was) {
        log_info("gateway", "clocks agree again");
    }
    return skewed;
}
