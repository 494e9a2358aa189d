/* SPDX-License-Identifier: Apache-2.0 */
/* The program. */
#include <unistd.h>

#include "cli/commands.h"

int main(int argc, char **argv)
{
    return cli_main(&ROOT_COMMAND, argc, argv, environ);
}
