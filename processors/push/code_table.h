/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Codes of a provider as data: one table a provider, of the words it uses. What is in no table counts by its HTTP
 * status.
 *
 * Thread: any.
 */
#ifndef SLUICE_PUSH_CODE_TABLE_H
#define SLUICE_PUSH_CODE_TABLE_H

#include "push/provider.h"

#define PUSH_CODE_NO_RESULT "no-result" /* the answer says nothing about this message */
#define PUSH_CODE_MALFORMED "malformed" /* JSON, but not of the form that the provider documents */

/* One row; a table ends with a NULL code. */
struct push_code {
    const char *code; /* as the provider spells it */
    enum push_verdict verdict;
    int64_t wait_ms;  /* where the provider says no time itself; 0 = the role's */
    bool renew_token; /* the token, not the credential, is refused */
};

/* NULL: the table does not have it. code may be NULL. */
const struct push_code *push_code_find(const struct push_code *table, const char *code);
/* What the row says; the provider's own time to wait goes first. */
struct push_result push_code_result(const struct push_code *row, const struct http_result *r, const char *message);
/*
 * What the status alone says, and none: as push_result_of_http(), but other 4xx are this message's fault. code: as the
 * provider calls it; NULL or "" = "http-503", or how the call failed ("timeout").
 */
struct push_result push_code_by_status(const struct http_result *r, const char *code, const char *message);
/* The row's where the table has the code, else by status. */
struct push_result push_code_verdict(const struct push_code *table, const struct http_result *r, const char *code,
                                     const char *message);
/* A 2xx whose body is not what the provider answers with: again, with the same id. */
struct push_result push_code_unreadable(const struct http_result *r, const char *code);

#endif
