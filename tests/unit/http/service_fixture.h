/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service with routes that answer at once, echo, wait for the test or are finished by another thread:
 * /v1/hello/{id} (GET; POST of JSON), /v1/any/{id} (POST, open), /v1/headers, /v1/wait, /v1/open, /v1/race, /v1/close.
 */
#ifndef SLUICE_TESTS_SERVICE_FIXTURE_H
#define SLUICE_TESTS_SERVICE_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "http/service.h"

#define PARKED_MAX 8

extern struct service_limits limits; /* the defaults; changed before start() */
extern struct err start_err;         /* of start_at() */
extern struct http_call *parked[PARKED_MAX];
/* What the service has told of requests that are over: how many, and of the last one. */
extern _Atomic int done_count, last_status, last_handled;

/* Before and after each test. */
void service_open(void);
void service_close(void);

/* From then on callers are "shop" and "billing", with the tokens shop-token-0123456789 and billing-token-0123456. */
void with_callers(void);
enum rc start_at(const char *address) MUST_USE;
void start(void);

/* Waits until n requests in all were parked; false after 10 s. */
bool wait_parked(size_t n);
void answer_parked(size_t i, const char *text);

#endif
