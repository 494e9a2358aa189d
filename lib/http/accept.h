/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accepts connections that begin with a header of the PROXY protocol, takes it off and hands them to libmicrohttpd with
 * the client's address, so that limits of one address count clients and not the proxy.
 */
#ifndef SLUICE_HTTP_ACCEPT_H
#define SLUICE_HTTP_ACCEPT_H

#include <microhttpd.h>

#include "base/err.h"
#include "http/net.h"

#define ACCEPT_WAITING_MAX 256 /* connections whose header is not there yet; further ones stay with the kernel */

struct acceptor;

struct acceptor_options {
    int listen_fd; /* non-blocking; stays the caller's */
    struct MHD_Daemon *daemon;
    const struct net_list *proxies; /* others are closed; must outlive the acceptor */
    int64_t header_ms;              /* in which the header must be there; then the connection is closed */
};

/* A thread of its own. FATAL: there is none. */
enum rc acceptor_start(const struct acceptor_options *opt, struct acceptor **out_acceptor, struct err *err) MUST_USE;
/* Accepts nobody any more, closes those without a header. Accepts NULL, returns NULL. */
struct acceptor *acceptor_stop(struct acceptor *a);

#endif
