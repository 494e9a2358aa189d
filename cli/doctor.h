/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `sluice doctor` looks at: each file adds the checks of one area. A check says what it has found and, unless all
 * is well, what to do. Nothing is changed by looking.
 *
 * Thread: main.
 */
#ifndef SLUICE_CLI_DOCTOR_H
#define SLUICE_CLI_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/option.h"

#define DOCTOR_CHECKS_MAX 64
#define DOCTOR_TEXT_MAX 1024

enum doctor_state { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL, DOCTOR_STATES };

struct doctor_check {
    const char *name; /* static: "database", "row security" */
    enum doctor_state state;
    char text[DOCTOR_TEXT_MAX];
    char hint[DOCTOR_TEXT_MAX]; /* "" = none */
};

struct doctor {
    const struct config *cfg;
    struct doctor_check *list; /* heap */
    size_t n;
};

/* Adds a check, its hint with doctor_hint() afterwards. Beyond the ceiling it is left out. */
void doctor_say(struct doctor *d, const char *name, enum doctor_state state, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Of the last check. */
void doctor_hint(struct doctor *d, const char *fmt, ...) PRINTF_LIKE(2, 3);

void doctor_database(struct doctor *d); /* doctor_db.c: server, tables, privileges, hidden rows, index, clock */
/* How far PostgreSQL's clock is ahead of this machine's, and beyond which difference that is worth a warning. */
void doctor_clock(struct doctor *d, int64_t off_ms, int64_t alarm_ms);
void doctor_kafka(struct doctor *d); /* doctor_kafka.c: brokers, topics, schemas */
void doctor_roles(struct doctor *d); /* doctor_roles.c: who works at what */

struct status;
/* A part of the last: rows that were published and of which nothing has come, as st, asked of the database, says. */
void doctor_stuck(struct doctor *d, const struct status *st);

#endif
