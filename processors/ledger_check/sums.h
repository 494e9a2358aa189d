/* SPDX-License-Identifier: Apache-2.0 */
/* Sums by currency; there are few of them. */
#ifndef SLUICE_LEDGER_CHECK_SUMS_H
#define SLUICE_LEDGER_CHECK_SUMS_H

#include "internal.h"

#define CURRENCIES_MAX 4096

struct sum {
    char *currency;
    wide amount;
};
struct sums {
    struct sum *list;
    size_t n, last;
};

/* FATAL: more currencies than anybody has. */
enum rc sums_add(struct sums *s, const char *currency, int64_t amount, struct err *err) MUST_USE;
/* Each must be zero: I1. */
void sums_judge(struct checker *c, const struct sums *s, const char *what);
void sums_done(struct sums *s);

#endif
