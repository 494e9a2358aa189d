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
    bool good = !q->closed && q->n < q->max;
    if (good) {
        job->next = NULL;
        if (q->last == NULL) {
            q->first = job;
        } else {
            q->last->next = job;
        }
        q->last = job;
        q->n++;
        (void)pthread_cond_signal(&q->changed);
    }
    (void)pthread_mutex_unlock(&q->lock);
    return good;
}

size_t job_queue_take(struct job_queue *q, struct job **out, size_t max, int64_t wait_ms)
{
    const struct timespec until = clock_deadline(wait_ms);
    size_t n = 0;
    (void)pthread_mutex_lock(&q->lock);
    while (q->first == NULL && !q->closed && wait_ms > 0) {
        if (pthread_cond_timedwait(&q->changed, &q->lock, &until) != 0) {
            break;
        }
    }
    while (n < max && q->first != NULL) {
        out[n] = q->first;
        q->first = out[n++]->next;
        q->n--;
    }
    q->last = q->first == NULL ? NULL : q->last;
    if (q->first != NULL) {
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
    bool over = q->closed && q->first == NULL;
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
