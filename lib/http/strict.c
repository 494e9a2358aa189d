/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What two HTTP implementations may read differently is refused (RFC 9112, 2.2, 5 and 11.2): behind a proxy it would
 * let a client slip a second request into the first.
 *
 * libmicrohttpd 0.9.75 takes bare line feeds, folded lines, zeros, blanks before a colon and around the target, a
 * length beside a coding, and the first of two lengths. It parses in place: zeros stand where blanks, colons and line
 * ends were, everything else is where it came in. So the positions of its strings tell what there was. Two zeros behind
 * a value are CR LF (or a zero and LF, which nobody takes for anything else), one is a bare LF; a name that does not
 * begin right behind the line before it was folded into something, or a zero has cut that line.
 */
#include <string.h>
#include <strings.h>

#include "http/header_text.h"
#include "http/service_internal.h"

struct header_walk {
    const char *at, *end; /* where the next line begins; behind the header */
    unsigned hosts, lengths, codings;
    bool chunked;
    const char *bad;
};

/* Whether it was CR LF shows where the next line begins. */
static bool line_end(struct header_walk *w, const char *at)
{
    w->at = at + 2;
    return w->at <= w->end;
}

static bool in_place(struct header_walk *w, const char *name, const char *value)
{
    const char *p = name == w->at ? name + strlen(name) + 1 : w->end;
    while (p < w->end && (*p == ' ' || *p == '\t')) {
        p++;
    }
    return p < w->end && p == value && line_end(w, value + strlen(value));
}

static enum MHD_Result walk_header(void *opaque, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct header_walk *w = opaque;
    (void)kind;
    if (value == NULL || !in_place(w, name, value)) {
        w->bad = "a line of the header does not end with CR LF, is folded, or has a zero in it";
    } else if (!header_name_ok(name) || !header_value_ok(value)) {
        w->bad = "a header's name is not a token, or its value has a control character";
    }
    w->hosts += strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0 ? 1 : 0;
    w->lengths += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0 ? 1 : 0;
    if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        w->codings++;
        w->chunked = value != NULL && strcasecmp(value, "chunked") == 0;
    }
    return w->bad == NULL ? MHD_YES : MHD_NO;
}

static const char *framing(const struct header_walk *w, bool v1_0)
{
    if (w->hosts > 1) {
        return "Host stands there twice";
    }
    if (w->lengths > 1) {
        return "Content-Length stands there twice";
    }
    if (w->lengths > 0 && w->codings > 0) {
        return "Content-Length and Transfer-Encoding exclude each other";
    }
    if (w->codings > 1 || (w->codings == 1 && (!w->chunked || v1_0))) {
        return "Transfer-Encoding: expected chunked, once, in HTTP/1.1";
    }
    return NULL;
}

const char *strict_refusal(const struct http_call *call, const char *method, const char *version, size_t header_bytes)
{
    struct header_walk w = {.end = method + header_bytes};
    if (method + strlen(method) + 1 != call->raw_target || call->raw_target + call->raw_target_n + 1 != version ||
        !line_end(&w, version + strlen(version))) {
        return "the first line is malformed; expected METHOD TARGET HTTP/1.1, single blanks and CR LF";
    }
    (void)MHD_get_connection_values(call->conn, MHD_HEADER_KIND, walk_header, &w);
    if (w.bad == NULL && (!line_end(&w, w.at) || w.at != w.end)) {
        w.bad = "the header does not end with an empty line, CR LF";
    }
    return w.bad != NULL ? w.bad : framing(&w, strcmp(version, MHD_HTTP_VERSION_1_1) < 0);
}
