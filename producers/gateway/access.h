/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may ask on routes that are open to this machine: whoever calls from loopback or from a network that is named
 * needs no token, everybody else a bearer token.
 *
 * Thread: any, once it is read.
 */
#ifndef SLUICE_GATEWAY_ACCESS_H
#define SLUICE_GATEWAY_ACCESS_H

#include <stdbool.h>

#include "base/option.h"
#include "http/call.h"
#include "http/caller.h"
#include "http/net.h"

struct access {
    struct callers *callers; /* NULL = there are no tokens */
    struct net_list nets;
};

/* Options `COMPONENT.open.nets` and `COMPONENT.tokens.file`. FATAL with ERR_CONFIG. */
enum rc access_read(const struct config *cfg, const char *component, struct access *out, struct err *err) MUST_USE;
void access_done(struct access *a);

/*
 * An address behind a proxy that is not named in gateway.proxies is not known: a call from loopback that says it was
 * forwarded needs a token. Within the route's function.
 */
bool access_ok(const struct access *a, struct http_call *call);

#endif
