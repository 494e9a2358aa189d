/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of carriers: POST /webhook/express/status and /webhook/express/status/{account}. They are calls of a channel
 * (callback.h) whose forms have no event of money but a parcel's way (carrier/carrier.h):
 *
 *     capture (service's thread) -> verdict (a verifier) -> inbox, nodes, notify_queue (a writer) -> answer
 *
 * Bodies are large, so what is not answered yet is bounded by its bytes: beyond express.pending.bytes.max a call is to
 * be sent again.
 */
#ifndef SLUICE_GATEWAY_EXPRESS_H
#define SLUICE_GATEWAY_EXPRESS_H

#include "gateway/callback.h"
#include "http/service.h"

#define EXPRESS_BODY_BYTES_MAX ((size_t)1 << 20)

/* Routes of the listener express.listen. */
extern const struct service_route EXPRESS_ROUTES[];
extern const size_t EXPRESS_ROUTES_N;

enum call_next ask_express(struct http_call *call, void *opaque);

/* Fills c->express, and takes room for its body: refused as unavailable where there is none. */
void express_begin(struct gateway *g, struct callback *c);
/* The call is answered: its room is free, and what came of its nodes is counted. */
void express_end(struct callback *c);
/* Parked numbers that are not looked for any more; with 0 the counter is there. */
void express_count_rest(size_t n);
/* Nodes that the sweep has decided of. */
void express_count_settled(size_t queued, size_t history);

#endif
