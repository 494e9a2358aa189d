/* SPDX-License-Identifier: Apache-2.0 */
/* The listener: whom it believes, what it speaks, how much of it there is. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/gateway_internal.h"

static enum rc read_proxies(const struct config *cfg, struct net_list *out, struct err *err)
{
    if (net_list_parse(config_str(cfg, "gateway.proxies"), out, err) != RC_OK) {
        return err_prefix(err, "option gateway.proxies");
    }
    if (config_bool(cfg, "gateway.proxy.protocol") && out->n == 0) {
        (void)err_set(err, RC_FATAL, __FILE__, __LINE__,
                      "option gateway.proxy.protocol: nobody may connect; name the proxies in gateway.proxies");
        return err_code(err, ERR_CONFIG);
    }
    return RC_OK;
}

/* An expired certificate stops nobody here: that is the clients' business, and the rest should go on. */
static void tell_expiry(int64_t expires_s)
{
    metric_set(
        metric_gauge("sluice_gateway_tls_expires_seconds", "When the listener's certificate expires, Unix time.", NULL),
        (double)expires_s);
    if (expires_s <= clock_utc_us() / 1000000) {
        log_warn("gateway", "the listener's certificate has expired");
    }
}

/* *out_has: neither is set = plain text. */
static enum rc read_tls(const struct config *cfg, struct tls_files *out, bool *out_has, struct err *err)
{
    const char *cert = config_str(cfg, "gateway.tls.cert.file");
    const char *key = config_str(cfg, "gateway.tls.key.file");
    *out_has = cert[0] != '\0';
    if (*out_has != (key[0] != '\0')) {
        (void)err_set(err, RC_FATAL, __FILE__, __LINE__,
                      "option gateway.tls.%s.file: is needed with gateway.tls.%s.file", *out_has ? "key" : "cert",
                      *out_has ? "cert" : "key");
        return err_code(err, ERR_CONFIG);
    }
    if (*out_has && tls_files_read(cert, key, out, err) != RC_OK) {
        return err_prefix(err, "options gateway.tls.cert.file, gateway.tls.key.file");
    }
    if (*out_has) {
        tell_expiry(out->expires_s);
    }
    return RC_OK;
}

static struct service_limits read_limits(const struct config *cfg)
{
    return (struct service_limits){.connections = (unsigned)config_int(cfg, "gateway.connections.max"),
                                   .connections_per_address =
                                       (unsigned)config_int(cfg, "gateway.connections.address.max"),
                                   .kept = (unsigned)config_int(cfg, "gateway.connections.kept.max"),
                                   .parked = (unsigned)config_int(cfg, "gateway.parked.max"),
                                   .parked_per_address = (unsigned)config_int(cfg, "gateway.parked.address.max"),
                                   .header_bytes = (size_t)config_int(cfg, "gateway.header.bytes.max"),
                                   .body_bytes = (size_t)config_int(cfg, "gateway.body.bytes.max"),
                                   .idle_ms = config_int(cfg, "gateway.idle.timeout.ms"),
                                   .request_ms = config_int(cfg, "gateway.request.timeout.ms")};
}

enum rc front_start(struct gateway *g, const struct config *cfg, service_done_fn done, struct err *err)
{
    struct net_list proxies;
    CLEANUP(tls_files_done) struct tls_files tls = {0};
    bool has_tls = false;
    const char *tokens = config_str(cfg, "gateway.tokens.file");
    TRY(read_proxies(cfg, &proxies, err));
    TRY(read_tls(cfg, &tls, &has_tls, err));
    if (tokens[0] != '\0' && callers_read(tokens, &g->callers, err) != RC_OK) {
        return err_prefix(err, "option gateway.tokens.file");
    }
    const struct service_options opt = {.address = config_str(cfg, "gateway.listen"),
                                        .routes = GATEWAY_ROUTES,
                                        .n_routes = GATEWAY_ROUTES_N,
                                        .callers = g->callers,
                                        .limits = read_limits(cfg),
                                        .proxies = &proxies,
                                        .forwarded_depth = (unsigned)config_int(cfg, "gateway.forwarded.depth"),
                                        .proxy_protocol = config_bool(cfg, "gateway.proxy.protocol"),
                                        .tls = has_tls ? &tls : NULL,
                                        .tokens_option = "gateway.tokens.file",
                                        .opaque = g,
                                        .done = done};
    if (service_start(&opt, &g->service, err) != RC_OK) {
        return err_prefix(err, "option gateway.listen");
    }
    role_ready(g->ctx, "http", true, service_address(g->service));
    log_info("gateway", "listening", KV_S("address", service_address(g->service)), KV_S("tls", has_tls ? "yes" : "no"),
             KV_I("callers", (int64_t)callers_count(g->callers)));
    return RC_OK;
}
