/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far a parcel is: one list for what carriers say, for tables, templates and what is told to people. Names are part
 * of the data contract and are never changed.
 */
#ifndef SLUICE_SCHEMAS_EXPRESS_STATUS_H
#define SLUICE_SCHEMAS_EXPRESS_STATUS_H

#include <stdbool.h>

enum express_status {
    EXPRESS_UNKNOWN, /* the carrier uses a code that we do not know: kept, and nobody is told */
    EXPRESS_COLLECTED,
    EXPRESS_IN_TRANSIT,
    EXPRESS_CUSTOMS,
    EXPRESS_OUT_FOR_DELIVERY,
    EXPRESS_EXCEPTION, /* a difficulty; may come at any time before the end */
    EXPRESS_DELIVERED,
    EXPRESS_RETURNED,
    EXPRESS_STATUSES
};

const char *express_status_name(enum express_status status); /* "out_for_delivery"; static */
/* The number of a name of this list, exactly as it stands there; EXPRESS_UNKNOWN for others and for NULL. */
enum express_status express_status_find(const char *name);
/* How far along the way: a lower one than what people were told last is not told. Never below 0. */
int express_status_rank(enum express_status status);
/* Nothing is to come but a return. */
bool express_status_final(enum express_status status);

#endif
