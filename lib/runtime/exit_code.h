/* SPDX-License-Identifier: Apache-2.0 */
/* Exit codes of every command and role. They are part of the contract: scripts and supervisors branch on them. */
#ifndef SLUICE_RUNTIME_EXIT_CODE_H
#define SLUICE_RUNTIME_EXIT_CODE_H

#include "base/err.h"

enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,        /* the command line is wrong */
    EXIT_REJECTED = 3,     /* checks failed, input refused */
    EXIT_NOT_FOUND = 4,    /* what was asked for does not exist */
    EXIT_UNAVAILABLE = 69, /* a dependency (PostgreSQL, Kafka) cannot be reached */
    EXIT_TRY_AGAIN = 75,   /* lost to another instance, or a passing condition */
    EXIT_CONFIG = 78,      /* an option, environment variable or file is wrong: starting again will not help */
    EXIT_INTERRUPTED = 130 /* of a command: SIGINT or SIGTERM; of a role: the second one */
};

/* For commands: RETRY 69, REJECT 3, FENCED 75, FATAL 1. */
static inline enum exit_code exit_code_of(enum rc rc)
{
    switch (rc) {
    case RC_OK:
        return EXIT_DONE;
    case RC_RETRY:
        return EXIT_UNAVAILABLE;
    case RC_REJECT:
        return EXIT_REJECTED;
    case RC_FENCED:
        return EXIT_TRY_AGAIN;
    case RC_FATAL:
        return EXIT_FAILED;
    }
    return EXIT_FAILED;
}

#endif
