/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How things stand with dead letters: their rows are asked. A letter is open while its row has its queue_seq and is
 * dead; nothing is noted anywhere when a row is put back, the row itself says it.
 */
#ifndef SLUICE_DLQ_STATE_H
#define SLUICE_DLQ_STATE_H

#include <libpq-fe.h>

#include "dlq/letter.h"

/* Fills state, row_state, expired and idle, and platform where the letter did not say it; deaths becomes at least what
 * the attempts say. */
enum rc letters_look_up(PGconn *conn, struct letter *letters, size_t n, struct err *err) MUST_USE;

#endif
