/* SPDX-License-Identifier: Apache-2.0 */
/* Queues between the service's thread and those that have sessions. */
#include "gateway/job.h"

#include <time.h>

#include "base/clock.h"

const char *const JOB_COMMANDS[JOB_KINDS] = {
    [JOB_TRANSFER] = "transfer", [JOB_TRY] = "try",   [JOB_CONFIRM] = "confirm", [JOB_CANCEL] = "cancel",
    [JOB_LINKED] = "linked",     [JOB_OPEN] = "open", [JOB_SET] = "set"};

void job_queue_init(struct job_queue *q, size_t max)
{
    *q = (struct job_queue){.max = max};
    (void)pthread_mutex_init(&q->lock, NULL);
    clock_condition_init(&q->changed);
}

void job_queue_done(struct job_queue *q)
{
    (void)pthread_mutex_destroy(&q->lock);
    (void)pthread_cond_destroy(&q->changed);
}

bool job_queue_put(struct job_queue *q, struct job *job)
{
    (void)pthread_mutex_lock(&q->lock);
    struct job_lane *lane = &q->lanes[job->lane];
    bool good = !q->closed && lane->n < q->max;
    if (good) {
        job->next = NULL;
        if (lane->last == NULL) {
            lane->first = job;
        } else {
            lane->last->next = job;
        }
        lane->last = job;
        lane->n++;
        q->n++;
        (void)pthread_cond_signal(&q->changed);
    }
    (void)pthread_mutex_unlock(&q->lock);
    return good;
}

/* With the lock, and something in it. */
static struct job *next_in_turn(struct job_queue *q)
{
    while (q->lanes[q->turn].first == NULL) {
        q->turn = (q->turn + 1) % JOB_LANES;
    }
    struct job_lane *lane = &q->lanes[q->turn];
    struct job *job = lane->first;
    lane->first = job->next;
    lane->last = lane->first == NULL ? NULL : lane->last;
    lane->n--;
    q->n--;
    q->turn = (q->turn + 1) % JOB_LANES;
    return job;
}

size_t job_queue_take(struct job_queue *q, struct job **out, size_t max, int64_t wait_ms)
{
    const struct timespec until = clock_deadline(wait_ms);
    size_t n = 0;
    (void)pthread_mutex_lock(&q->lock);
    while (q->n == 0 && !q->closed && wait_ms > 0) {
        if (pthread_cond_timedwait(&q->changed, &q->lock, &until) != 0) {
            break;
        }
    }
    while (n < max && q->n > 0) {
        out[n++] = next_in_turn(q);
    }
    if (q->n > 0) {
        (void)pthread_cond_signal(&q->changed); /* for another thread */
    }
    (void)pthread_mutex_unlock(&q->lock);
    return n;
}

void job_queue_close(struct job_queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    q->closed = true;
    (void)pthread_cond_broadcast(&q->changed);
    (void)pthread_mutex_unlock(&q->lock);
}

bool job_queue_over(struct job_queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    bool over = q->closed && q->n == 0;
    (void)pthread_mutex_unlock(&q->lock);
    return over;
}

size_t job_queue_length(struct job_queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    size_t n = q->n;
    (void)pthread_mutex_unlock(&q->lock);
    return n;
}
