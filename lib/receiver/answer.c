/* SPDX-License-Identifier: Apache-2.0 */
/* Answers, proper and improper. */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "receiver/receiver_internal.h"

#define BLOCK_BYTES 16384

static void note_answer(struct request *q, unsigned status)
{
    q->answered = true;
    q->status = status;
    (void)pthread_mutex_lock(&q->r->lock);
    if (q->counted) {
        tally_answered(&q->r->tally, &q->mark, status);
    }
    (void)pthread_mutex_unlock(&q->r->lock);
}

enum MHD_Result request_answer(struct request *q, unsigned status, const char *text, const char *header,
                               const char *value)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (response == NULL) {
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    if (header != NULL) {
        (void)MHD_add_response_header(response, header, value);
    }
    note_answer(q, status);
    enum MHD_Result result = MHD_queue_response(q->conn, status, response);
    MHD_destroy_response(response);
    return result;
}

/* A connection whose address is taken away is reset, on Linux. */
static enum MHD_Result reset(struct request *q)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(q->conn, MHD_CONNECTION_INFO_CONNECTION_FD);
    const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    if (info != NULL) {
        (void)connect(info->connect_fd, &nowhere, sizeof nowhere);
    }
    return MHD_NO;
}

static ssize_t drip(void *opaque, uint64_t pos, char *out, size_t max)
{
    struct request *q = opaque;
    (void)pos;
    if (q->gone) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if (max == 0 || clock_mono_ms() < q->due_ms) {
        return request_wait(q, q->due_ms) ? 0 : MHD_CONTENT_READER_END_WITH_ERROR;
    }
    q->due_ms = clock_mono_ms() + q->behave.n;
    *out = '.';
    return 1;
}

static ssize_t pour(void *opaque, uint64_t pos, char *out, size_t max)
{
    (void)opaque;
    (void)pos;
    memset(out, 'x', max);
    return (ssize_t)max;
}

static enum MHD_Result without_end(struct request *q, MHD_ContentReaderCallback reader)
{
    struct MHD_Response *response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, reader, q, NULL);
    if (response == NULL) {
        return MHD_NO;
    }
    q->due_ms = 0;
    note_answer(q, MHD_HTTP_OK);
    enum MHD_Result result = MHD_queue_response(q->conn, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

/* Is there room for one more in this second? */
static bool within_rate(struct receiver *r, int64_t limit)
{
    int64_t second = clock_mono_ms() / 1000;
    struct rate *rate = &r->rates[limit % RATES_MAX];
    if (rate->limit != limit || rate->second != second) {
        *rate = (struct rate){.limit = limit, .second = second};
    }
    return rate->used++ < limit;
}

static bool is_hanging(struct receiver *r)
{
    (void)pthread_mutex_lock(&r->lock);
    bool hang = r->hang;
    (void)pthread_mutex_unlock(&r->lock);
    return hang;
}

static enum MHD_Result fine(struct request *q)
{
    if (q->is_push) {
        return push_accept(q);
    }
    return request_answer(q, MHD_HTTP_OK, "{\"ok\": true}\n", NULL, NULL);
}

enum MHD_Result request_behave(struct request *q)
{
    bool resumed = q->due_ms != 0;
    switch (q->behave.kind) {
    case BEHAVE_OK:
        return fine(q);
    case BEHAVE_SLOW:
        if (resumed || q->behave.n == 0) {
            return fine(q);
        }
        return request_wait(q, clock_mono_ms() + q->behave.n) ? MHD_YES : MHD_NO;
    case BEHAVE_FAIL:
        return q->mark.attempt > q->behave.n ? fine(q) : request_answer(q, 500, "{\"ok\": false}\n", NULL, NULL);
    case BEHAVE_STATUS: {
        const char *after = MHD_lookup_connection_value(q->conn, MHD_GET_ARGUMENT_KIND, "retry-after");
        const char *where = MHD_lookup_connection_value(q->conn, MHD_GET_ARGUMENT_KIND, "location");
        const char *name = after != NULL ? "Retry-After" : "Location";
        const char *value = after != NULL ? after : where;
        return request_answer(q, (unsigned)q->behave.n, "{}\n", value == NULL ? NULL : name, value);
    }
    case BEHAVE_RATELIMIT:
        return within_rate(q->r, q->behave.n)
                   ? fine(q)
                   : request_answer(q, 429, "{\"ok\": false}\n", MHD_HTTP_HEADER_RETRY_AFTER, "1");
    case BEHAVE_HANG:
        if (!is_hanging(q->r)) {
            return fine(q);
        }
        return request_wait(q, INT64_MAX) ? MHD_YES : MHD_NO;
    case BEHAVE_RESET:
        return reset(q);
    case BEHAVE_DRIP:
        return without_end(q, drip);
    case BEHAVE_ENDLESS:
        return without_end(q, pour);
    }
    return MHD_NO;
}
