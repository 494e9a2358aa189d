/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/wechat_manager.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "keys/expiry.h"
#include "keys/wechat_merchant.h"

#define TURN_MS 5000 /* at most between two looks at what verifiers have seen */
#define RETRY_MS_MIN 60000

struct entry {
    struct wechat_merchant merchant;
    /* With the manager's lock: */
    bool wanted;      /* a call named a serial number that is not known */
    bool begun;       /* it was asked at least once */
    int64_t begun_ms; /* the last asking; monotonic */
    /* The thread's: */
    int64_t next_ms; /* of the timer */
    int failures;    /* in a row */
};

struct wechat_manager {
    struct wechat_manager_options opt;
    struct entry *entries;
    size_t n;
    struct fetcher *fetcher;
    struct expiry *expiry;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;
    bool runs;
    pthread_t thread;
};

static int64_t utc_s(const struct wechat_manager *m)
{
    return m->opt.utc_s != NULL ? m->opt.utc_s(m->opt.opaque) : clock_utc_ms() / 1000;
}

static int64_t mono_ms(const struct wechat_manager *m)
{
    return m->opt.mono_ms != NULL ? m->opt.mono_ms(m->opt.opaque) : clock_mono_ms();
}

/* ---------------------------------------------------------------------------------------------------- merchants */

static struct entry *entry_of(struct wechat_manager *m, const char *mchid)
{
    for (size_t i = 0; i < m->n; i++) {
        if (strcmp(m->entries[i].merchant.own->mchid, mchid) == 0) {
            return &m->entries[i];
        }
    }
    return NULL;
}

static void make_entry(struct wechat_manager *m, const struct account *account)
{
    const struct wechat_account *own = account->own;
    if (own->merchant_key == NULL || entry_of(m, own->mchid) != NULL) {
        return; /* nothing to ask with, or somebody else asks */
    }
    struct entry *e = &m->entries[m->n];
    e->merchant =
        (struct wechat_merchant){.accounts = xcalloc(accounts_count(m->opt.accounts), sizeof(struct account *)),
                                 .asker = account,
                                 .own = own,
                                 .directory = m->opt.directory};
    e->next_ms = mono_ms(m);
    m->n++;
}

static void make_entries(struct wechat_manager *m)
{
    size_t n = accounts_count(m->opt.accounts);
    m->entries = xcalloc(n + 1, sizeof *m->entries);
    for (size_t i = 0; i < n; i++) {
        const struct account *account = accounts_at(m->opt.accounts, i);
        if (account->channel == CHANNEL_WECHAT) {
            make_entry(m, account);
        }
    }
    for (size_t i = 0; i < n; i++) {
        const struct account *account = accounts_at(m->opt.accounts, i);
        const struct wechat_account *own = account->own;
        struct entry *e = account->channel == CHANNEL_WECHAT ? entry_of(m, own->mchid) : NULL;
        if (e != NULL) {
            e->merchant.accounts[e->merchant.n_accounts++] = account;
        }
    }
}

enum rc wechat_manager_create(const struct wechat_manager_options *opt, struct wechat_manager **out_manager,
                              struct err *err)
{
    if (opt->directory[0] != '\0') {
        TRY(wechat_store_prepare(opt->directory, err));
    }
    struct wechat_manager *m = xcalloc(1, sizeof *m);
    m->opt = *opt;
    m->fetcher = fetcher_create();
    m->expiry = expiry_create(opt->accounts);
    (void)pthread_mutex_init(&m->lock, NULL);
    clock_condition_init(&m->changed);
    make_entries(m);
    for (size_t i = 0; i < m->n; i++) {
        wechat_merchant_load(&m->entries[i].merchant, utc_s(m));
    }
    *out_manager = m;
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- when */

/* Until it may be asked, by timer or because of a call; 0 = now. With the lock. */
static int64_t entry_due_ms(const struct wechat_manager *m, const struct entry *e)
{
    int64_t at_ms = e->next_ms;
    if (e->wanted) {
        int64_t soon_ms = e->begun ? e->begun_ms + WECHAT_ASK_EVERY_S * 1000 : mono_ms(m);
        at_ms = soon_ms < at_ms ? soon_ms : at_ms;
    }
    int64_t left_ms = at_ms - mono_ms(m);
    return left_ms > 0 ? left_ms : 0;
}

static int64_t due_ms(const struct wechat_manager *m)
{
    int64_t least_ms = INT64_MAX;
    for (size_t i = 0; i < m->n; i++) {
        int64_t left_ms = entry_due_ms(m, &m->entries[i]);
        least_ms = left_ms < least_ms ? left_ms : least_ms;
    }
    return least_ms;
}

int64_t wechat_manager_due_ms(struct wechat_manager *m)
{
    (void)pthread_mutex_lock(&m->lock);
    int64_t left_ms = due_ms(m);
    (void)pthread_mutex_unlock(&m->lock);
    return left_ms;
}

/* True: it is this thread's to ask now. */
static bool claim(struct wechat_manager *m, struct entry *e)
{
    (void)pthread_mutex_lock(&m->lock);
    bool due = !m->stopping && entry_due_ms(m, e) == 0;
    if (due) {
        e->begun = true;
        e->begun_ms = mono_ms(m);
        e->wanted = false; /* whoever asks from here on wants another one */
    }
    (void)pthread_mutex_unlock(&m->lock);
    return due;
}

/* Gateways that were started together do not ask together for ever. */
static int64_t with_jitter(int64_t ms)
{
    return ms - ms / 10 + (int64_t)(clock_random() % (uint64_t)(ms / 5 + 1));
}

static void set_next(struct wechat_manager *m, struct entry *e, enum list_result result)
{
    int64_t poll_ms = m->opt.poll_s * 1000;
    e->failures = list_result_good(result) && result != LIST_PARTIAL ? 0 : e->failures + 1;
    int64_t wait_ms = poll_ms;
    if (e->failures > 0) {
        int doublings = e->failures < 16 ? e->failures - 1 : 15;
        wait_ms = (int64_t)RETRY_MS_MIN << doublings;
        wait_ms = wait_ms < poll_ms ? wait_ms : poll_ms;
    }
    (void)pthread_mutex_lock(&m->lock);
    e->next_ms = mono_ms(m) + with_jitter(wait_ms);
    (void)pthread_mutex_unlock(&m->lock);
}

void wechat_manager_turn(struct wechat_manager *m)
{
    for (size_t i = 0; i < m->n; i++) {
        struct entry *e = &m->entries[i];
        if (m->opt.tick != NULL) {
            m->opt.tick(m->opt.opaque);
        }
        if (claim(m, e)) {
            set_next(m, e, wechat_merchant_download(&e->merchant, m->fetcher, m->opt.timeout_ms, utc_s(m)));
        }
        wechat_merchant_look(&e->merchant, utc_s(m));
        wechat_merchant_gauges(&e->merchant, utc_s(m));
    }
    expiry_look(m->expiry, utc_s(m));
}

/* ---------------------------------------------------------------------------------------------------- its thread */

static void *run(void *opaque)
{
    struct wechat_manager *m = opaque;
    (void)pthread_mutex_lock(&m->lock);
    while (!m->stopping) {
        (void)pthread_mutex_unlock(&m->lock);
        if (m->opt.tick != NULL) {
            m->opt.tick(m->opt.opaque);
        }
        wechat_manager_turn(m);
        (void)pthread_mutex_lock(&m->lock);
        int64_t left_ms = due_ms(m);
        struct timespec until = clock_deadline(left_ms < TURN_MS ? left_ms : TURN_MS);
        if (!m->stopping && left_ms > 0) {
            (void)pthread_cond_timedwait(&m->changed, &m->lock, &until);
        }
    }
    (void)pthread_mutex_unlock(&m->lock);
    return NULL;
}

enum rc wechat_manager_start(struct wechat_manager *m, struct err *err)
{
    int failed = pthread_create(&m->thread, NULL, run, m);
    if (failed != 0) {
        FAIL(err, RC_FATAL, "cannot start a thread: %s", strerror(failed));
    }
    m->runs = true;
    return RC_OK;
}

struct wechat_manager *wechat_manager_free(struct wechat_manager *m)
{
    if (m == NULL) {
        return NULL;
    }
    (void)pthread_mutex_lock(&m->lock);
    m->stopping = true;
    (void)pthread_cond_signal(&m->changed);
    (void)pthread_mutex_unlock(&m->lock);
    fetcher_stop(m->fetcher);
    if (m->runs) {
        (void)pthread_join(m->thread, NULL);
    }
    for (size_t i = 0; i < m->n; i++) {
        wechat_merchant_done(&m->entries[i].merchant);
    }
    m->fetcher = fetcher_free(m->fetcher);
    m->expiry = expiry_free(m->expiry);
    (void)pthread_cond_destroy(&m->changed);
    (void)pthread_mutex_destroy(&m->lock);
    free(m->entries);
    free(m);
    return NULL;
}

/* ---------------------------------------------------------------------------------------------------- callers */

/* A public key's name stands on no list, and neither does what is no serial number. */
static bool may_be_listed(const char *serial)
{
    size_t n = strspn(serial, "0123456789ABCDEFabcdef");
    return n > 0 && n <= CERT_SERIAL_MAX && serial[n] == '\0';
}

bool wechat_manager_ask(struct wechat_manager *m, const struct account *account, const char *serial)
{
    const struct wechat_account *own = account->own;
    struct entry *e = account->channel == CHANNEL_WECHAT && may_be_listed(serial) ? entry_of(m, own->mchid) : NULL;
    if (e == NULL || wechat_account_revoked(own, serial)) {
        return false;
    }
    (void)pthread_mutex_lock(&m->lock);
    bool first = !e->wanted;
    e->wanted = true;
    if (first) {
        (void)pthread_cond_signal(&m->changed);
    }
    (void)pthread_mutex_unlock(&m->lock);
    return first;
}

bool wechat_manager_state(struct wechat_manager *m, const char *mchid, const char *serial, enum cert_state *out_state)
{
    struct entry *e = entry_of(m, mchid);
    struct wechat_cert *cert = e == NULL ? NULL : wechat_certs_find(&e->merchant.certs, serial);
    if (cert != NULL) {
        *out_state = wechat_certs_state(&e->merchant.certs, cert, utc_s(m));
    }
    return cert != NULL;
}
