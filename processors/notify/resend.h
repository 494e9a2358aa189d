/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends a notification again on purpose: a new generation, so that providers do not take it for what they have seen.
 * Looks first, then acts by compare-and-set on the generation that was seen, one transaction a notification.
 *
 * Devices that have accepted it, in whatever generation, and those it is under way to are left out. Who has muted it by
 * now is not told.
 * Thread: that of the session.
 */
#ifndef SLUICE_NOTIFY_RESEND_H
#define SLUICE_NOTIFY_RESEND_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "notify/types.h"

#define RESEND_MAX 1000 /* notifications of one command */

enum resend_state {
    RESEND_READY,
    RESEND_MUTED,   /* its recipient does not want to hear of such things */
    RESEND_EXPIRED, /* nobody wants to hear of it any more; only with force */
    RESEND_NOBODY,  /* no device that is active, or all of them have it */
    RESEND_CHANGED, /* somebody else was faster */
    RESEND_DONE
};
const char *resend_state_name(enum resend_state state); /* "expired"; static */

struct resend_device {
    const char *appid, *cid, *platform; /* platform may be NULL */
};

/* Texts live in the arena. */
struct resend {
    const char *id, *message_id, *aud, *recipient, *tracking_no, *status, *send_status;
    int64_t generation; /* as seen */
    bool expired, muted;
    struct resend_device *devices; /* to be told */
    size_t n_devices;
    size_t accepted, under_way; /* not told once more */
    int64_t left_out;           /* active ones beyond devices_max */
    enum resend_state state;
};

struct resend_options {
    bool all;   /* also devices that have accepted it */
    bool force; /* also what has expired: it gets another lifetime */
    int64_t ttl_s;
    size_t devices_max;
};

/* Types of the columns that are the business's own; once a session. */
struct resend_types {
    struct column_type id, recipient, user, merchant;
};
enum rc resend_session(PGconn *conn, struct resend_types *out, struct err *err) MUST_USE;

/*
 * The notifications with these ids or message ids (n of them), or with tracking_no those of a parcel (names NULL). At
 * most RESEND_MAX; REJECT: there are more.
 */
enum rc resend_find(PGconn *conn, const struct resend_types *types, const char *const *names, size_t n,
                    const char *tracking_no, const struct resend_options *opt, struct arena *a, struct resend **out,
                    size_t *out_n, struct err *err) MUST_USE;

/* One that is ready; r->state is then DONE or CHANGED. */
enum rc resend_do(PGconn *conn, const struct resend_types *types, struct resend *r, const struct resend_options *opt,
                  struct err *err) MUST_USE;

#endif
