/* SPDX-License-Identifier: Apache-2.0 */
/* A content on its way to reports: the same ceilings, times, texts and hashes for all forms. */
#ifndef SLUICE_CARRIER_READING_H
#define SLUICE_CARRIER_READING_H

#include "base/err.h"
#include "carrier/carrier.h"
#include "http/body.h"

struct reading {
    struct arena *arena;
    int64_t now_s;
    struct carrier_call *call;
    char *detail;   /* CARRIER_DETAIL_MAX bytes */
    size_t n_nodes; /* asked for until now, over all reports */
};

/* Says why it is refused; false, so that `return reading_refuse(...)` reads well. */
bool reading_refuse(struct reading *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* JSON, strictly. NULL: refused. name: of the parameter it came in, "" for the body itself. */
struct body_value *reading_json(struct reading *r, const char *name, const char *text, size_t n);
/* The object's member; NULL: it has none, it is null, or object is no object. */
const struct body_value *reading_member(const struct body_value *object, const char *name);
/* A text or a number as it stands there; NULL: neither, or empty. */
const char *reading_text(const struct body_value *object, const char *name);
/* The same, of several names the first that is there. names ends with NULL. */
const char *reading_first(const struct body_value *object, const char *const *names);

/* Asks for n more reports: false, and refused, beyond CARRIER_REPORTS_MAX. Once a call. */
bool reading_reports(struct reading *r, const char *where, size_t n);
/*
 * A report of the parcel. where: the member that has the tracking number, for the message. carrier may be NULL. NULL:
 * refused. At most as many as were asked for.
 */
struct carrier_report *reading_report(struct reading *r, const char *where, const char *tracking_no,
                                      const char *carrier_where, const char *carrier);
/* Makes room for n more nodes of the report: false, and refused, beyond CARRIER_NODES_MAX of the call. */
bool report_room(struct reading *r, struct carrier_report *report, const char *where, size_t n);

/* A node as it came. Its time is the member of the list's item, "lastResult.data[3].ftime"; list "" = no list. */
struct told {
    const char *list;
    size_t place;
    const char *member;
    const char *time; /* NULL = missing */
    const char *code; /* the node's own; NULL = it has none */
    const char *text; /* NULL = none */
    enum express_status status;
};
/* NULL: left out and counted, its time is not one. Belongs to the report, and moves when it ends. */
struct carrier_node *report_add(struct reading *r, struct carrier_report *report, const struct told *told);
/* Turns the nodes from here on around: of a history with the newest first. */
void report_reverse(struct carrier_report *report, size_t from);
/* The newest of the nodes from here on; NULL: there is none. */
struct carrier_node *report_newest(struct carrier_report *report, size_t from);
/*
 * The report's state is that of the newest of the nodes from here on, where that has no code of its own. newest_there:
 * it was not left out. state NULL = it has none.
 */
void report_state(struct reading *r, struct carrier_report *report, size_t from, bool newest_there,
                  enum carrier_form form, const char *state);
/* The oldest first; what stands there twice only once. */
void report_end(struct reading *r, struct carrier_report *report);

/* A node of whichever parcel. */
struct event {
    const char *tracking_no;
    const char *tracking_where; /* for the message */
    const char *carrier;
    struct told told;
};
/* A report for each parcel that is spoken of, in the order in which they are; where: of the list. */
bool reading_events(struct reading *r, const char *where, const struct event *events, size_t n);

/* Up to max bytes, whole characters, no controls, no blanks at the ends; lives in the arena. */
const char *reading_clean(struct reading *r, const char *text, size_t max);

#endif
