/* SPDX-License-Identifier: Apache-2.0 */
/* What carriers call how far a parcel is, as the list of schemas/express_status.h: one table a form. */
#ifndef SLUICE_CARRIER_STATUS_H
#define SLUICE_CARRIER_STATUS_H

#include "carrier/carrier.h"

/*
 * A code of the form. EXPRESS_UNKNOWN: the table has none such, or has one that tells of nothing that moved. code may
 * be NULL, in either case, with blanks around it.
 */
enum express_status status_of_code(enum carrier_form form, const char *code);
/* The same, and whether the table has it. */
bool status_find(enum carrier_form form, const char *code, enum express_status *out);
/* A code of the form with this status, the usual one; NULL: there is none. */
const char *status_code(enum carrier_form form, enum express_status status);
/* What the words of a node's text say of it. False: nothing, and *out stays. */
bool status_in_text(const char *text, enum express_status *out);
/* The same; in_transit where they say nothing. */
enum express_status status_of_text(const char *text);

#endif
