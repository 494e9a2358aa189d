/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts by a provider's code, or by the status where nobody knows the code. */
#include "push/code_table.h"

#include <stdio.h>
#include <string.h>

#include "push/reply.h"

/* Of 4xx that are not about one message, but about us, the way, or the time. */
static const int NOT_THE_MESSAGE[] = {401, 402, 403, 404, 405, 407, 408, 421, 425, 429};

const struct push_code *push_code_find(const struct push_code *table, const char *code)
{
    for (; code != NULL && table->code != NULL; table++) {
        if (strcmp(table->code, code) == 0) {
            return table;
        }
    }
    return NULL;
}

struct push_result push_code_result(const struct push_code *row, const struct http_result *r, const char *message)
{
    struct push_result result = push_result_of(row->verdict, row->code, message);
    result.renew_token = row->renew_token;
    result.retry_after_ms = r->retry_after_ms >= 0 || row->wait_ms == 0 ? r->retry_after_ms : row->wait_ms;
    return result;
}

static bool blames_the_message(int status)
{
    bool blames = status >= 400 && status < 500;
    for (size_t i = 0; i < ARRAY_SIZE(NOT_THE_MESSAGE) && blames; i++) {
        blames = NOT_THE_MESSAGE[i] != status;
    }
    return blames;
}

struct push_result push_code_by_status(const struct http_result *r, const char *code, const char *message)
{
    char own[PUSH_CODE_MAX];
    enum push_verdict verdict = blames_the_message(r->status) ? PUSH_PAYLOAD : push_result_of_http(r).verdict;
    if (code == NULL || code[0] == '\0') {
        const char *class = r->meaning.class == NULL ? "no-answer" : r->meaning.class;
        (void)(r->status > 0 ? snprintf(own, sizeof own, "http-%d", r->status)
                             : snprintf(own, sizeof own, "%s", class));
        code = own;
    }
    struct push_result result = push_result_of(verdict, code, message == NULL ? r->message : message);
    result.retry_after_ms = r->retry_after_ms;
    return result;
}

struct push_result push_code_verdict(const struct push_code *table, const struct http_result *r, const char *code,
                                     const char *message)
{
    const struct push_code *row = push_code_find(table, code);
    return row != NULL ? push_code_result(row, r, message) : push_code_by_status(r, code, message);
}

struct push_result push_code_unreadable(const struct http_result *r, const char *code)
{
    char message[96];
    (void)snprintf(message, sizeof message, "HTTP %d with %zu bytes that are not the provider's answer", r->status,
                   r->body_n);
    return push_result_of(PUSH_PROVIDER_DOWN, code, message);
}
