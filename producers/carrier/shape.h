/* SPDX-License-Identifier: Apache-2.0 */
/* Contents that are JSON or XML, and where something is one object or a list of them. */
#ifndef SLUICE_CARRIER_SHAPE_H
#define SLUICE_CARRIER_SHAPE_H

#include "carrier/reading.h"

/* The root, an object. name: of the parameter; root_name: what an XML element must be called, NULL = whatever. */
const struct body_value *reading_document(struct reading *r, const char *name, const struct carrier_content *content,
                                          const char *root_name);

struct list {
    const struct body_value *first;
    size_t n;
};
/* An array's items, or the one that it is; none where v is NULL. */
struct list list_of(const struct body_value *v);

/* Room for n; NULL, and refused, beyond CARRIER_NODES_MAX. */
struct event *events_new(struct reading *r, const char *where, size_t n);

/*
 * The node's code by the form's table. Codes that it does not have: what the text says, if it says something; the
 * lists of these carriers are long, and grow.
 */
enum express_status status_of_event(enum carrier_form form, const char *code, const char *text);

#endif
