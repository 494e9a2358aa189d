/* SPDX-License-Identifier: Apache-2.0 */
/* A provider: who goes now, who waits, who is parked, and what answers teach. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "push/push_internal.h"
#include "push/reply.h"

#define SMOOTHING 0.2
#define CALL_MS_FIRST 50.0
#define PARK_SPREAD 2 /* what would come after the longest delay comes within its last half */

/* ---------------------------------------------------------------------------------------------------- pace */

/* Milliseconds from one message to the next when it works as fast as it may. */
static double message_ms(const struct outlet *l)
{
    double call_ms = l->call_ms > 0 ? l->call_ms : CALL_MS_FIRST;
    double at_once = (double)l->provider->streams * (l->batch_n > 1 ? l->batch_n : 1);
    double ms = call_ms / at_once;
    double by_rate = l->bucket.limit > 0 ? 1000.0 / l->bucket.limit : 0;

    return by_rate > ms ? by_rate : ms;
}

int64_t outlet_park_ms(struct outlet *l)
{
    int64_t now = clock_mono_ms();
    int64_t longest = l->push->park_ms_max;
    uint64_t random = push_random(l->push);
    int64_t earliest = now + retry_park_ms(0, random);

    earliest = l->circuit.state == CIRCUIT_OPEN && l->circuit.until_ms > earliest ? l->circuit.until_ms : earliest;
    earliest = l->bucket.not_before_ms > earliest ? l->bucket.not_before_ms : earliest;
    l->free_ms = l->free_ms > (double)earliest ? l->free_ms : (double)earliest;
    l->free_ms += message_ms(l);
    int64_t ms = (int64_t)l->free_ms - now;
    if (ms > longest) {
        l->free_ms = (double)(now + longest);
        ms = longest - (int64_t)(random % (uint64_t)(longest / PARK_SPREAD + 1));
    }
    return ms;
}

const char *outlet_token(struct outlet *l, uint64_t *out_version)
{
    *out_version = 0;
    return l->provider->kind->needs_token ? push_token_text(l->push->tokens, l->token, clock_utc_us(), out_version)
                                          : "";
}

/* ---------------------------------------------------------------------------------------------------- parking */

static void park_first(struct outlet *l, const char *class, const char *why)
{
    struct waiter *w = l->queue.head;

    queue_remove(&l->queue, w);
    message_park(message_of(w), class, why);
}

static void park_open(struct outlet *l)
{
    for (size_t n = l->queue.n; n > 0 && l->queue.n > 0; n--) { /* each may bring another one of its key */
        park_first(l, "circuit-open", l->trouble);
    }
}

static const char *why_it_waits(struct outlet *l, char *text, size_t size, const char **out_class)
{
    uint64_t version = 0;
    bool refused = false;

    *out_class = "provider-busy";
    if (outlet_token(l, &version) != NULL) {
        return l->bucket.not_before_ms > clock_mono_ms() ? "the provider wants a pause"
                                                         : "the provider has as many requests as it takes";
    }
    *out_class = "no-token";
    push_token_problem(l->push->tokens, l->token, text, size, &refused);
    return text[0] != '\0' ? text : "there is no token yet";
}

void outlet_tick(struct outlet *l)
{
    char text[ERR_TEXT_MAX] = "";
    const char *class = NULL;
    int64_t now = clock_mono_ms();

    outlet_pump(l);
    while (l->queue.n > 0 && now - l->queue.head->since_ms > l->push->wait_ms) {
        const char *why = why_it_waits(l, text, sizeof text, &class);
        park_first(l, class, why);
    }
}

/* ---------------------------------------------------------------------------------------------------- going */

/* The first is too old by now: it goes, and true. */
static bool drop_expired(struct outlet *l)
{
    struct message *m = message_of(l->queue.head);
    struct push_result result;

    if (push_event_ok(&m->event, clock_utc_us(), &result)) {
        return false;
    }
    queue_remove(&l->queue, &m->waiter);
    message_settle(m, &result, NULL);
    return true;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many may go in one request now; 0 = none, and the loop is woken when that may have changed. */
static size_t may_go(struct outlet *l, int64_t now)
{
    uint64_t version = 0;
    size_t max = l->circuit.state == CIRCUIT_CLOSED ? (size_t)l->provider->batch : 1;

    if (l->in_flight >= (size_t)l->provider->streams || outlet_token(l, &version) == NULL) {
        return 0; /* an answer, or the token's coming, pumps */
    }
    if (max > 1 && !queue_is_ripe(&l->queue, max, now, l->push->batch_wait_ms)) {
        push_wake_at(l->push, l->queue.head->since_ms + l->push->batch_wait_ms);
        return 0;
    }
    size_t want = least(least(l->queue.n, max), bucket_size(&l->bucket));
    if (bucket_room(&l->bucket, now) < want) {
        push_wake_at(l->push, bucket_when(&l->bucket, want, now));
        return 0;
    }
    return want;
}

static void pump(struct outlet *l)
{
    struct waiter *taken[PUSH_BATCH_MAX];
    const struct provider *provider = l->provider;

    while (l->queue.n > 0 && delivery_may_call(l->push->d)) {
        int64_t now = clock_mono_ms();
        if (circuit_parks(&l->circuit, now)) {
            park_open(l);
            return;
        }
        if (drop_expired(l)) {
            continue;
        }
        size_t max = may_go(l, now);
        if (max == 0) {
            return;
        }
        size_t n = queue_take(&l->queue, provider->kind, provider->self, max, taken);
        send_start(l, taken, n);
    }
}

void outlet_pump(struct outlet *l)
{
    if (!l->pumping) { /* what is settled in here may bring the next message of its key */
        l->pumping = true;
        pump(l);
        l->pumping = false;
    }
}

void outlet_enter(struct outlet *l, struct message *m)
{
    int64_t now = clock_mono_ms();
    double wait_ms = (double)(l->queue.n + 1) * message_ms(l);

    if (circuit_parks(&l->circuit, now) || (l->circuit.state == CIRCUIT_OPEN && l->queue.n > 0)) {
        message_park(m, "circuit-open", l->trouble);
        return;
    }
    if (wait_ms > (double)l->push->wait_ms || l->bucket.not_before_ms > now + l->push->wait_ms) {
        message_park(m, "provider-busy", "the provider gets as much as it takes");
        return;
    }
    queue_append(&l->queue, &m->waiter);
    outlet_pump(l);
}

/* ---------------------------------------------------------------------------------------------------- learning */

struct sum {
    size_t good, auth, down;
    const struct push_result *worst;
    int64_t retry_after_ms;
    bool throttled;
};

static struct sum sum_of(const struct send *s, const struct push_result *results)
{
    struct sum sum = {.retry_after_ms = -1};

    for (size_t i = 0; i < s->n; i++) {
        const struct push_result *r = &results[i];
        const struct push_verdict_row *row = &PUSH_VERDICTS_TABLE[r->verdict];
        if (r->verdict == PUSH_THROTTLED) {
            sum.throttled = true;
            sum.retry_after_ms = r->retry_after_ms > sum.retry_after_ms ? r->retry_after_ms : sum.retry_after_ms;
        }
        if (r->renew_token) {
            continue; /* of an old token, nothing more */
        }
        sum.good += row->opens ? 0 : 1;
        sum.auth += row->opens_at_once ? 1 : 0;
        sum.down += row->opens && !row->opens_at_once ? 1 : 0;
        sum.worst = row->opens ? r : sum.worst;
    }
    return sum;
}

static void opened(struct outlet *l, const struct push_result *why)
{
    (void)snprintf(l->trouble, sizeof l->trouble, "%s%s%s%s%s", PUSH_VERDICTS_TABLE[why->verdict].name,
                   why->code[0] != '\0' ? " " : "", why->code, why->message[0] != '\0' ? ": " : "", why->message);
    log_write(l->circuit.openings == 1 ? LOG_WARN : LOG_DEBUG, PUSH_AREA,
              "a provider's circuit is open: everything for it is parked", KV_S("provider", l->provider->name),
              KV_S("why", l->trouble), KV_I("next_try_ms", l->circuit.until_ms - clock_mono_ms()), KV_END);
}

/* Some of a request's messages may be told from others: the provider is well if any of them was. */
static void judge(struct outlet *l, const struct sum *sum)
{
    if (sum->good > 0) {
        if (circuit_good(&l->circuit)) {
            l->free_ms = 0;
            log_write(LOG_INFO, PUSH_AREA, "a provider is back", KV_S("provider", l->provider->name), KV_END);
        }
    } else if (sum->worst != NULL &&
               circuit_bad(&l->circuit, sum->auth > 0, l->push->park_ms_max, clock_mono_ms(), push_random(l->push))) {
        opened(l, sum->worst);
    }
}

void outlet_learn(struct outlet *l, const struct send *s, const struct push_result *results,
                  const struct http_result *r, bool our_fault)
{
    struct sum sum = sum_of(s, results);

    if (r != NULL) {
        l->call_ms += l->call_ms > 0 ? SMOOTHING * ((double)r->duration_ms - l->call_ms) : (double)r->duration_ms;
        l->batch_n += l->batch_n > 0 ? SMOOTHING * ((double)s->n - l->batch_n) : (double)s->n;
        push_count_request(l->push->metrics, l->provider, s->n, r->duration_ms);
    }
    if (sum.throttled) {
        bucket_throttled(&l->bucket, sum.retry_after_ms, clock_mono_ms());
    }
    if (!our_fault && (s->probe || l->circuit.state == CIRCUIT_CLOSED)) {
        judge(l, &sum);
    }
    if (s->probe) {
        circuit_lost(&l->circuit, clock_mono_ms()); /* where it has said nothing */
    }
}
