/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of what people settle: they are looked at, and each thing in them is settled once, by somebody who says why. */
#ifndef SLUICE_CLI_SETTLE_H
#define SLUICE_CLI_SETTLE_H

#include <libpq-fe.h>

#include "command.h"

struct settle_list {
    const char *command; /* "account reviews" */
    const char *app;     /* the session's name, "sluice account reviews" */
    const char *thing;   /* "review" */
    const char *settled; /* what it is afterwards: "resolved" */
    const char *note;    /* what --note should say: "why" */
    enum rc (*open)(const struct cli *cli, const char *app, PGconn **out_conn, struct err *err);
    /* $1 those that are settled too, $2 code or NULL, $3 limit; list_json gives one value. */
    const char *list, *list_json;
    const char *const *heads;
    const char *find; /* $1 id: code, payment, by whom (NULL: it is open), when, whether an event can be made of it */
};

/* What is done with one of them. */
struct settle_deed {
    const char *name; /* of the command */
    const char *sql;  /* $1 id, $2 who, $3 note: changes one row, or none if somebody else was first */
    const char *done; /* the state it is in then */
    bool tells;       /* an event is made of it */
};

/* The commands: `ls` with a code that was checked (NULL = all), and a deed. Both return exit codes. */
int settle_ls(const struct cli *cli, const struct settle_list *list, const char *code);
int settle_do(const struct cli *cli, const struct settle_list *list, const struct settle_deed *deed);

/* EXIT_DONE: the argument is an id and there is a database; else it was said what is wrong. */
int settle_check_id(const struct cli *cli, const struct settle_list *list);
/* Says so; EXIT_NOT_FOUND. */
int settle_not_found(const struct settle_list *list, const char *id);

#endif
