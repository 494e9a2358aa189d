/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a batch: the hash chain, and the checks that nothing of it contradicts the rules of bookkeeping. */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/sha256.h"
#include "ledger/internal.h"

#define NUMBER_MAX 20 /* digits and sign of 64 bits */

__extension__ typedef __int128 wide;

/* |n */
static char *add_number(char *at, int64_t n)
{
    char digits[NUMBER_MAX];
    size_t len = 0;
    uint64_t rest = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    do {
        digits[len++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    *at++ = '|';
    if (n < 0) {
        *at++ = '-';
    }
    while (len > 0) {
        *at++ = digits[--len];
    }
    return at;
}

static char *add_word(char *at, const char *word)
{
    size_t n = strlen(word);
    *at++ = '|';
    memcpy(at, word, n);
    return at + n;
}

void ledger_flow_hash(const unsigned char before[LEDGER_HASH_BYTES], const char *account_id, int slot,
                      const struct ledger_flow *f, unsigned char out[LEDGER_HASH_BYTES])
{
    char middle[10 * (NUMBER_MAX + 2)];
    const int64_t numbers[] = {slot,
                               f->version,
                               f->amount,
                               f->balance_after,
                               f->frozen_delta,
                               f->frozen_after,
                               f->incoming_delta,
                               f->incoming_after};
    char *at = middle;
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        at = add_number(at, numbers[i]);
    }
    at = add_word(at, LEDGER_FLOW_KIND_NAMES[f->kind]);
    *at++ = '|';
    char tail[NUMBER_MAX + 2];
    const char *tail_end = add_number(tail, f->effective_us);

    const struct sha256_part parts[] = {{before, LEDGER_HASH_BYTES},
                                        {account_id, strlen(account_id)},
                                        {middle, (size_t)(at - middle)},
                                        {f->transfer_id, strlen(f->transfer_id)},
                                        {"|", 1},
                                        {f->event_id, strlen(f->event_id)},
                                        {tail, (size_t)(tail_end - tail)}};
    sha256_of_parts(parts, ARRAY_SIZE(parts), out);
}

/* What the flows of one currency add up to: nothing. */
struct sums {
    const char *currency;
    wide amount, held; /* frozen - incoming */
};

static enum rc check_sums(struct ledger *l, struct err *err)
{
    struct sums *all = NULL;
    size_t n = 0, cap = 0;
    for (size_t i = 0; i < l->flows_n; i++) {
        const struct ledger_flow *f = &l->flows[i];
        const char *currency = l->slots[f->account]->a.currency;
        size_t at = 0;
        while (at < n && strcmp(all[at].currency, currency) != 0) {
            at++;
        }
        if (at == n) {
            all = ledger_room(all, n, &cap, sizeof *all);
            all[n++] = (struct sums){.currency = currency};
        }
        all[at].amount += f->amount;
        all[at].held += (wide)f->frozen_delta - f->incoming_delta;
    }
    const char *wrong = NULL;
    for (size_t i = 0; i < n && wrong == NULL; i++) {
        wrong = all[i].amount != 0 || all[i].held != 0 ? all[i].currency : NULL;
    }
    free(all);
    if (wrong != NULL) {
        FAIL(err, RC_FATAL, "ledger: debits and credits of this batch do not balance in %s", wrong);
    }
    return RC_OK;
}

static enum rc check_slot(const struct ledger_account *a, struct err *err)
{
    const struct ledger_settings *s = &a->settings;
    if (a->frozen < 0 || a->incoming < 0) {
        FAIL(err, RC_FATAL, "ledger: account %s slot %d would have %" PRId64 " frozen, %" PRId64 " incoming",
             a->account_id, a->slot, a->frozen, a->incoming);
    }
    if ((s->no_negative && (wide)a->balance - a->frozen < 0) ||
        (s->has_max && (wide)a->balance + a->incoming > s->max_balance)) {
        FAIL(err, RC_FATAL, "ledger: account %s would pass its limit", a->account_id);
    }
    if (a->slot != 0 && ledger_limited(s) && (a->balance != 0 || a->frozen != 0 || a->incoming != 0)) {
        FAIL(err, RC_FATAL, "ledger: account %s is limited and would have something in slot %d", a->account_id,
             a->slot);
    }
    return RC_OK;
}

enum rc ledger_seal(struct ledger *l, struct err *err)
{
    assert(!l->sealed && !l->undoing);
    TRY(check_sums(l, err));
    for (size_t i = 0; i < l->slots_n; i++) {
        if (l->slots[i]->a.dirty) {
            TRY(check_slot(&l->slots[i]->a, err));
        }
    }
    for (size_t i = 0; i < l->flows_n; i++) {
        struct ledger_flow *f = &l->flows[i];
        struct ledger_account *a = &l->slots[f->account]->a;
        ledger_flow_hash(a->hash, a->account_id, a->slot, f, a->hash);
        memcpy(f->hash, a->hash, LEDGER_HASH_BYTES);
    }
    l->sealed = true;
    return RC_OK;
}
