/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What carriers say of parcels, and how they say it: the forms of their webhooks. Bytes in, report out: neither
 * database, network nor clock; the time is handed in. How a call is cut into parameters, whose charset it is in and
 * whose secret is asked for is the channel's business (channel/express.h).
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

#include "base/buf.h"
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

/* 1 to CARRIER_TRACKING_MAX of A-Z a-z 0-9 . _ - */
bool carrier_tracking_ok(const char *text);

struct carrier_node {
    int64_t at_us; /* UTC */
    enum express_status status;
    const char *code;    /* as the carrier calls it; NULL = it did not say */
    const char *context; /* UTF-8, "" = none */
    /* Of tracking number, time, the node's own code and its text: the same in every history that has it. */
    unsigned char hash[CARRIER_HASH_BYTES];
};

/* One parcel; n_nodes may be 0: nothing is known of it yet. Everything lives in the arena. */
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

/* ---------------------------------------------------------------------------------------------- what a form is */

struct carrier_facts {
    const char *content;   /* the parameter that says it; NULL = the body itself */
    const char *signature; /* the parameter with the signature; NULL = the form knows none */
    const char *kind;      /* the parameter with the kind of message; NULL = there is none */
    const char *party;     /* the parameter that answers repeat; NULL = there is none */
    bool bare_too;         /* the body itself may be the content, where it begins with { or < */
    bool xml_too;          /* the content may be XML */
};
const struct carrier_facts *carrier_facts(enum carrier_form form); /* static */

/* ---------------------------------------------------------------------------------------------------- signatures */

#define CARRIER_SIGNATURE_MAX 64 /* with its NUL */

/*
 * Over the content's bytes as they are after decoding the parameter, and before anything else is done with them. False
 * for forms without signatures, and where libcrypto has no MD5. Takes the same time wherever the difference is.
 */
bool carrier_signed(enum carrier_form form, const char *content, size_t n, const char *salt, size_t salt_n,
                    const char *signature);
/* The signature as the carrier itself would write it. False: as above. */
bool carrier_sign(enum carrier_form form, const char *content, size_t n, const char *salt, size_t salt_n,
                  char out[CARRIER_SIGNATURE_MAX]);

/* ------------------------------------------------------------------------------------------------------ contents */

struct carrier_content {
    const char *text; /* UTF-8 without NUL, and one behind it */
    size_t n;
    const char *kind; /* NULL = it does not say */
    int64_t now_s;
};

#define CARRIER_DETAIL_MAX 200
/* False: the content is not of this form; detail names the member and what was expected, and holds no secret. */
bool carrier_read(enum carrier_form form, const struct carrier_content *content, struct arena *arena,
                  struct carrier_call *out, char detail[CARRIER_DETAIL_MAX]);

/* ---------------------------------------------------------------------------------------------------- making calls */

/* What a call of one's own says: of one parcel, nodes with time, status and context. */
struct carrier_saying {
    const char *tracking_no;
    const char *carrier;              /* NULL = left out */
    bool whole;                       /* of kuaidi100: updateall */
    bool xml;                         /* of forms that may be XML */
    const struct carrier_node *nodes; /* the oldest first; json takes the last only */
    size_t n_nodes;
    int64_t now_s;
};
/* Its content, such that carrier_read() gives the same nodes; texts as UTF-8. */
void carrier_make(enum carrier_form form, const struct carrier_saying *saying, struct buf *content);
/* The body with this content, and the headers' Content-Type; static. signature NULL = none. */
const char *carrier_make_body(enum carrier_form form, const char *content, size_t n, const char *signature,
                              struct buf *body);

/* What `sluice verify express` shows of it: one JSON object. */
void carrier_call_json(const struct carrier_call *call, struct buf *out);

/* ------------------------------------------------------------------------------------------------------- answers */

/* What an answer takes from the call. */
struct carrier_echo {
    bool xml;          /* the call was XML, and so is its answer */
    const char *party; /* of carrier_facts.party; NULL = it did not say, or not properly */
    int64_t now_s;
};
/* Is it what an answer may repeat? 1 to 32 of A-Z a-z 0-9 _ - */
bool carrier_party_ok(const char *party);

/* The text that acknowledges, or the one that makes the carrier send again; static, or in the arena. */
const char *carrier_answer(enum carrier_form form, bool stored, const struct carrier_echo *echo, struct arena *arena,
                           const char **out_content_type);

#endif
