/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What carriers say of parcels, and how they say it: the forms of their webhooks. Bytes in, report out: neither
 * database, network nor clock; the time is handed in.
 *
 *     json      our own: one node, {"tracking_no","carrier","status","context","time"}
 *     kuaidi100 form `param` (JSON) and `sign`: the whole history, the newest first
 *     sf        SF RoutePushService: JSON, or form `content` with XML: what is new
 *     kdniao    form `RequestData`, `EBusinessID`, `RequestType`, `DataSign`: the whole history
 *     cainiao   Cainiao LINK: form `logistics_interface`, `data_digest`, `msg_type`, ...: what is new
 *
 * A form is one row of a table (forms.c), and has its own file. Times without a zone are China's, UTC+8.
 *
 * Thread: any.
 */
#ifndef SLUICE_CARRIER_CARRIER_H
#define SLUICE_CARRIER_CARRIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "schemas/express_status.h"

#define CARRIER_NODES_MAX 1000   /* of one call, over all its reports */
#define CARRIER_REPORTS_MAX 100  /* of one call */
#define CARRIER_TRACKING_MAX 64  /* bytes of a tracking number: A-Z a-z 0-9 . _ - */
#define CARRIER_NAME_MAX 64      /* bytes of a carrier's code */
#define CARRIER_CODE_MAX 64      /* bytes of a status code as it came */
#define CARRIER_CONTEXT_MAX 2048 /* bytes of a node's text; what is longer is cut between characters */
#define CARRIER_HASH_BYTES 32
#define CARRIER_YEAR_MIN 2000            /* a node before it, or */
#define CARRIER_AHEAD_S ((int64_t)86400) /* further ahead of now, has no time worth believing */

enum carrier_form { CARRIER_JSON, CARRIER_KUAIDI100, CARRIER_SF, CARRIER_KDNIAO, CARRIER_CAINIAO, CARRIER_FORMS };
const char *carrier_form_name(enum carrier_form form); /* "kuaidi100"; static */
int carrier_form_find(const char *name);               /* -1: there is none */

struct carrier_node {
    int64_t at_us; /* UTC */
    enum express_status status;
    const char *code;    /* as the carrier calls it; NULL = it did not say */
    const char *context; /* UTF-8, "" = none */
    /* Of tracking number, time, the node's own code and its text: the same in every history that has it. */
    unsigned char hash[CARRIER_HASH_BYTES];
};

/* One parcel. Everything lives in the arena. */
struct carrier_report {
    const char *tracking_no;
    const char *carrier;        /* NULL = it did not say; corrected where the carrier says it was another */
    bool full;                  /* a history: what is known already comes again */
    bool whole;                 /* it is said anew (updateall): nobody is to hear of it node by node */
    struct carrier_node *nodes; /* the oldest first; those of one time in the carrier's order */
    size_t n_nodes;
    size_t n_bad; /* left out: their time is missing, malformed or absurd, see bad_detail */
    char bad_detail[120];
};

struct carrier_call {
    struct carrier_report *reports;
    size_t n_reports; /* 0 = a genuine call that says nothing of a parcel */
};

#endif
