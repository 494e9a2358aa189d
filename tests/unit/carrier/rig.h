/* SPDX-License-Identifier: Apache-2.0 */
/* A content in, what came out; the arena is the test's. */
#ifndef SLUICE_TESTS_CARRIER_RIG_H
#define SLUICE_TESTS_CARRIER_RIG_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "carrier/carrier.h"

#define NOW 1770400000 /* 2026-02-06T17:46:40Z, in China 2026-02-07 01:46:40 */

struct carrier_rig {
    struct arena arena;
    struct carrier_call call;
    char detail[CARRIER_DETAIL_MAX];
};
extern struct carrier_rig rig;

void rig_setup(void);
void rig_teardown(void);
/* Is it accepted? kind may be NULL. */
bool rig_read(enum carrier_form form, const char *text, const char *kind);
/* The call's only report; fails where there is not one. */
const struct carrier_report *rig_one(enum carrier_form form, const char *text);
/* Is it refused, with this at the beginning of the detail? */
void rig_refused(enum carrier_form form, const char *text, const char *detail);
/* Seconds since 1970 of a time in China, from whole seconds. */
void rig_node(const struct carrier_node *node, int64_t at_s, enum express_status status, const char *code,
              const char *context);

#endif
