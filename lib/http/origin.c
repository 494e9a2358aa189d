/* SPDX-License-Identifier: Apache-2.0 */
/* Who calls: the connection's address, or what a proxy that is trusted says. */
#include <string.h>
#include <strings.h>

#include "http/forwarded.h"
#include "http/service_internal.h"

#define FORWARDED_LINES_MAX FORWARDED_DEPTH_MAX

struct forwarded_lines {
    const char *values[FORWARDED_LINES_MAX]; /* the last ones: what counts stands at the end */
    size_t n;
};

static enum MHD_Result note_forwarded(void *opaque, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct forwarded_lines *lines = opaque;
    (void)kind;
    if (strcasecmp(name, "X-Forwarded-For") == 0) {
        if (lines->n == FORWARDED_LINES_MAX) {
            memmove(lines->values, lines->values + 1, sizeof lines->values - sizeof lines->values[0]);
            lines->n--;
        }
        lines->values[lines->n++] = value == NULL ? "" : value;
    }
    return MHD_YES;
}

/* Where the proxies' list is of no use, the address is that of the proxy: it is on no platform's list. */
void origin_find(struct http_call *call)
{
    const struct service *s = call->service;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(call->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    uint8_t bytes[NET_BYTES];
    uint8_t said[NET_BYTES];
    if (info == NULL || info->client_addr == NULL || !net_bytes(info->client_addr, bytes)) {
        return;
    }
    if (s->opt.forwarded_depth > 0 && net_list_has(&s->proxies, bytes)) {
        struct forwarded_lines lines = {.n = 0};
        (void)MHD_get_connection_values(call->conn, MHD_HEADER_KIND, note_forwarded, &lines);
        if (forwarded_address(lines.values, lines.n, s->opt.forwarded_depth, said)) {
            memcpy(bytes, said, sizeof bytes);
        }
    }
    net_text(bytes, call->address);
}
