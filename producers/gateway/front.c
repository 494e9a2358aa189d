/* SPDX-License-Identifier: Apache-2.0 */
/* The listeners: whom they believe, what they speak, how much of them there is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/device.h"
#include "gateway/express.h"
#include "gateway/gateway_internal.h"

#define OPTION_NAME_MAX 32

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

/* ---------------------------------------------------------------------------------------------------- listeners */

struct front_row {
    const char *component; /* NAME.listen, NAME.tls */
    const struct service_route *routes;
    const size_t *n_routes;
};

/* Where its routes tell themselves who calls, a listener may be reached from elsewhere without tokens. */
static const struct front_row ROWS[FRONTS] = {
    [FRONT_SERVICES] = {"gateway", GATEWAY_ROUTES, &GATEWAY_ROUTES_N},
    [FRONT_EXPRESS] = {"express", EXPRESS_ROUTES, &EXPRESS_ROUTES_N},
    [FRONT_DEVICES] = {"device", DEVICE_ROUTES, &DEVICE_ROUTES_N},
};

static const char *listen_option(const struct config *cfg, enum front front, char name[OPTION_NAME_MAX])
{
    (void)snprintf(name, OPTION_NAME_MAX, "%s.listen", ROWS[front].component);
    return config_str(cfg, name);
}

bool front_wanted(const struct config *cfg, enum front front)
{
    char name[OPTION_NAME_MAX];
    const char *address = listen_option(cfg, front, name);
    return address[0] != '\0' && strcmp(address, "off") != 0;
}

static bool wants_tls(const struct config *cfg, enum front front)
{
    char name[OPTION_NAME_MAX];
    (void)snprintf(name, sizeof name, "%s.tls", ROWS[front].component);
    return front == FRONT_SERVICES || config_bool(cfg, name);
}

/* Where it is not said otherwise all of them are alike. */
static enum rc open_front(struct gateway *g, const struct config *cfg, enum front front,
                          const struct service_options *common, struct err *err)
{
    char name[OPTION_NAME_MAX];
    struct service_options opt = *common;
    opt.address = listen_option(cfg, front, name);
    opt.routes = ROWS[front].routes;
    opt.n_routes = *ROWS[front].n_routes;
    opt.callers = front == FRONT_SERVICES ? g->callers : NULL;
    opt.routes_tell = front != FRONT_SERVICES;
    opt.tls = wants_tls(cfg, front) ? common->tls : NULL;
    if (front == FRONT_EXPRESS) {
        opt.limits.body_bytes = EXPRESS_BODY_BYTES_MAX;
    }
    if (service_start(&opt, &g->services[front], err) != RC_OK) {
        return err_prefix(err, "option %s", name);
    }
    log_info("gateway", "listening", KV_S("for", ROWS[front].component),
             KV_S("address", service_address(g->services[front])), KV_S("tls", opt.tls != NULL ? "yes" : "no"),
             KV_I("callers", (int64_t)callers_count(opt.callers)));
    return RC_OK;
}

static enum rc read_access(struct gateway *g, const struct config *cfg, struct err *err)
{
    TRY(access_read(cfg, "express", &g->express_access, err));
    return access_read(cfg, "device", &g->device_access, err);
}

enum rc front_start(struct gateway *g, const struct config *cfg, service_done_fn done, struct err *err)
{
    struct net_list proxies;
    CLEANUP(tls_files_done) struct tls_files tls = {0};
    bool has_tls = false;
    const char *tokens = config_str(cfg, "gateway.tokens.file");
    TRY(read_proxies(cfg, &proxies, err));
    TRY(read_tls(cfg, &tls, &has_tls, err));
    TRY(read_access(g, cfg, err));
    if (tokens[0] != '\0' && callers_read(tokens, &g->callers, err) != RC_OK) {
        return err_prefix(err, "option gateway.tokens.file");
    }
    const struct service_options common = {.limits = read_limits(cfg),
                                           .proxies = &proxies,
                                           .forwarded_depth = (unsigned)config_int(cfg, "gateway.forwarded.depth"),
                                           .proxy_protocol = config_bool(cfg, "gateway.proxy.protocol"),
                                           .tls = has_tls ? &tls : NULL,
                                           .tokens_option = "gateway.tokens.file",
                                           .opaque = g,
                                           .done = done};
    for (enum front front = 0; front < FRONTS; front++) {
        if (front == FRONT_SERVICES || front_wanted(cfg, front)) {
            TRY(open_front(g, cfg, front, &common, err));
        }
    }
    role_ready(g->ctx, "http", true, service_address(g->services[FRONT_SERVICES]));
    return RC_OK;
}

void front_drain(struct gateway *g)
{
    for (size_t i = 0; i < FRONTS; i++) {
        if (g->services[i] != NULL) {
            service_drain(g->services[i]);
        }
    }
}

void front_stop(struct gateway *g, int64_t grace_ms)
{
    for (size_t i = 0; i < FRONTS; i++) {
        g->services[i] = service_stop(g->services[i], grace_ms);
    }
    g->callers = callers_free(g->callers);
    access_done(&g->express_access);
    access_done(&g->device_access);
}
