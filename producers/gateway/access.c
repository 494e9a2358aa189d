/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/access.h"

#include <stdio.h>

#define NAME_MAX_BYTES 64

enum rc access_read(const struct config *cfg, const char *component, struct access *out, struct err *err)
{
    char nets[NAME_MAX_BYTES];
    char tokens[NAME_MAX_BYTES];
    *out = (struct access){0};
    (void)snprintf(nets, sizeof nets, "%s.open.nets", component);
    (void)snprintf(tokens, sizeof tokens, "%s.tokens.file", component);
    if (net_list_parse(config_str(cfg, nets), &out->nets, err) != RC_OK) {
        return err_prefix(err, "option %s", nets);
    }
    const char *path = config_str(cfg, tokens);
    if (path[0] != '\0' && callers_read(path, &out->callers, err) != RC_OK) {
        return err_prefix(err, "option %s", tokens);
    }
    return RC_OK;
}

void access_done(struct access *a)
{
    a->callers = callers_free(a->callers);
}

static bool is_loopback(const uint8_t bytes[NET_BYTES])
{
    static const uint8_t V4[NET_BYTES] = {[10] = 0xff, [11] = 0xff, [12] = 127};
    static const uint8_t V6[NET_BYTES] = {[15] = 1};
    return net_same_prefix(bytes, V4, 104) || net_same_prefix(bytes, V6, 128);
}

static bool was_forwarded(const struct http_call *call)
{
    return call_header(call, "X-Forwarded-For") != NULL || call_header(call, "Forwarded") != NULL ||
           call_header(call, "X-Real-IP") != NULL;
}

bool access_ok(const struct access *a, struct http_call *call)
{
    uint8_t bytes[NET_BYTES];
    if (net_bytes_of_text(call_address(call), bytes)) {
        bool here = is_loopback(bytes);
        if ((!here || !was_forwarded(call)) && (here || net_list_has(&a->nets, bytes))) {
            return true;
        }
    }
    return a->callers != NULL && callers_find(a->callers, call_header(call, "Authorization")) != NULL;
}
