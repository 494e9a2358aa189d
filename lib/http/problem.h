/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What went wrong, as application/problem+json (RFC 9457).
 *
 *     {"type": "urn:sluice:problem:field_missing", "title": "field missing", "status": 422, "code": "field_missing",
 *      "detail": "the field is missing; expected a string", "field": "debit", "instance": "/v1/transfers"}
 *
 * code is what programs branch on: lower case with underscores, never changed once it is out. field names the member
 * of the body, the parameter or the header that is meant. Neither holds a secret or what somebody else has stored.
 */
#ifndef SLUICE_HTTP_PROBLEM_H
#define SLUICE_HTTP_PROBLEM_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

#define PROBLEM_CODE_MAX 64
#define PROBLEM_FIELD_MAX 128
#define PROBLEM_DETAIL_MAX 400
#define PROBLEM_MEDIA_TYPE "application/problem+json"

struct problem {
    unsigned status; /* of HTTP; 0 = no problem */
    char code[PROBLEM_CODE_MAX];
    char field[PROBLEM_FIELD_MAX]; /* "" = none */
    char detail[PROBLEM_DETAIL_MAX];
    unsigned retry_after_s; /* header Retry-After; 0 = none */
};

/* The first one counts: a problem that is already there stays. field may be NULL. */
void problem_set(struct problem *p, unsigned status, const char *code, const char *field, const char *fmt, ...)
    PRINTF_LIKE(5, 6);

/* Appends the document. instance: path of the request, may be NULL. */
void problem_json(const struct problem *p, const char *instance, struct buf *out);

#endif
