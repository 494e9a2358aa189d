/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands and what they are answered, one a line. Every script runs in each way that a batch can be cut: each command
 * by itself, as many together as there are between two questions, and both with accounts without a limit in another
 * slot.
 *
 *     open A no_negative max=500
 *     transfer T A B 100 caller=x        try T A B 100 expires=60        confirm T A [30]   cancel T A   expire T A
 *     linked T1 A B 5 + T2 B C 6         set A status=frozen
 *     ... => rejected insufficient_funds     what it is answered; without => it is applied
 *     account A 100 0 0                  balance, frozen, incoming over all slots
 *     in A 1 100 0 0                     of one slot
 *     is T held                          state; "rejected CODE" for a refusal; "absent"
 *     slot 2                             where accounts without a limit book from now on (scripts about slots)
 *     now 2d                             the batch's time from now on, behind the usual
 *
 * Times are seconds (or days, 3d) behind the usual time; event=, caller=, currency=, issued=, effective=, ref= go with
 * any command.
 */
#ifndef SLUICE_TESTS_LEDGER_SCRIPT_H
#define SLUICE_TESTS_LEDGER_SCRIPT_H

#include "bank.h"

void script_run(const char *name, const char *const *lines, size_t n);

#define SCRIPT(...)                                        \
    do {                                                   \
        static const char *const lines_[] = {__VA_ARGS__}; \
        script_run(__func__, lines_, ARRAY_SIZE(lines_));  \
    } while (0)

#endif
