/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/clock.h"
#include "carrier/carrier.h"
#include "crypto/sha256.h"

static void add_text(struct buf *out, const char *name, const char *value)
{
    (void)buf_printf(out, ", \"%s\": ", name);
    if (value == NULL) {
        (void)buf_puts(out, "null");
    } else {
        (void)buf_json_string(out, value, strlen(value));
    }
}

static void add_node(struct buf *out, const struct carrier_node *node)
{
    char at[CLOCK_RFC3339_MAX];
    char hash[2 * CARRIER_HASH_BYTES + 1];
    clock_rfc3339(node->at_us, at);
    sha256_hex(node->hash, CARRIER_HASH_BYTES, hash);
    (void)buf_printf(out, "{\"at\": \"%s\", \"status\": \"%s\"", at, express_status_name(node->status));
    add_text(out, "code", node->code);
    add_text(out, "context", node->context);
    (void)buf_printf(out, ", \"hash\": \"%s\"}", hash);
}

static void add_report(struct buf *out, const struct carrier_report *report)
{
    (void)buf_puts(out, "{\"tracking_no\": ");
    (void)buf_json_string(out, report->tracking_no, strlen(report->tracking_no));
    add_text(out, "carrier", report->carrier);
    (void)buf_printf(out, ", \"full\": %s, \"whole\": %s, \"nodes\": [", report->full ? "true" : "false",
                     report->whole ? "true" : "false");
    for (size_t i = 0; i < report->n_nodes; i++) {
        (void)buf_puts(out, i == 0 ? "" : ", ");
        add_node(out, &report->nodes[i]);
    }
    (void)buf_printf(out, "], \"left_out\": %zu", report->n_bad);
    if (report->n_bad > 0) {
        add_text(out, "left_out_first", report->bad_detail);
    }
    (void)buf_putc(out, '}');
}

void carrier_call_json(const struct carrier_call *call, struct buf *out)
{
    (void)buf_puts(out, "{\"reports\": [");
    for (size_t i = 0; i < call->n_reports; i++) {
        (void)buf_puts(out, i == 0 ? "" : ", ");
        add_report(out, &call->reports[i]);
    }
    (void)buf_puts(out, "]}");
}
