/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of the receiver. */
#ifndef SLUICE_RECEIVER_INTERNAL_H
#define SLUICE_RECEIVER_INTERNAL_H

#include <microhttpd.h>
#include <pthread.h>

#include "http/listen.h"
#include "receiver/behave.h"
#include "receiver/mended.h"
#include "receiver/pushes.h"
#include "receiver/receiver.h"
#include "receiver/tally.h"

#define RATES_MAX 16

struct rate {
    int64_t limit, second, used;
};

/* One HTTP request from its first header to its end. */
struct request {
    struct receiver *r;
    struct MHD_Connection *conn;
    struct buf body;
    char *path;
    const char *method; /* of libmicrohttpd, for the request's time */
    bool decided;
    bool counted;  /* mark is valid */
    bool answered; /* status is what it was answered */
    unsigned status;
    struct behave behave;
    struct tally_mark mark;
    enum webhook_reason reason;
    const char *platform; /* whose key fitted, NULL = not verified */
    char *id;
    int64_t began_ms; /* monotonic */

    bool is_push, push_single;
    struct json_t *push;  /* the messages, an array */
    size_t *push_numbers; /* in the receiver's pushes */

    /* Under the receiver's lock: */
    bool waiting; /* suspended and in the list */
    bool gone;    /* the client has closed the connection meanwhile */
    int64_t due_ms;
    struct request *prev, *next;
};

struct receiver {
    struct MHD_Daemon *daemon;
    char address[LISTEN_TEXT_MAX];
    struct receiver_options opt;
    struct rate rates[RATES_MAX]; /* this and the next only in libmicrohttpd's thread */
    struct mended mended;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct tally tally;
    struct pushes pushes;
    struct request *waiting;
    bool hang, stopping;
    pthread_t timer;
    bool timer_runs;
};

/* Suspends the request until due_ms, the client's end or receiver_hang(false) for one that hangs (INT64_MAX).
 * False: the receiver is being stopped. */
bool request_wait(struct request *q, int64_t due_ms);

/* Answers q as behave says; the result is libmicrohttpd's. */
enum MHD_Result request_behave(struct request *q);
/* JSON text, copied. */
enum MHD_Result request_answer(struct request *q, unsigned status, const char *text, const char *header,
                               const char *value);

/* POST /control: does what it says, or answers 400 and does none of it. */
enum MHD_Result request_control(struct request *q);

/* push_route.c: POST /push; what is answered when all is well; the request's end. */
enum MHD_Result push_route(struct request *q);
enum MHD_Result push_accept(struct request *q);
void push_done(struct request *q);

/* The verdict on a complete request, and whose keys said so. */
enum webhook_reason request_verify(struct request *q);
/* Enters it in the tally. */
void request_count(struct request *q);

enum rc waiter_start(struct receiver *r, struct err *err) MUST_USE;
void waiter_stop(struct receiver *r); /* resumes all that wait */

#endif
