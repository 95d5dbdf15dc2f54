// Package config gathers what an operator may set: flags before environment before file before defaults.
//
// Every setting is one line of a table ([Config.Keys]): its name in the file, its default, its help. Its variable in the environment follows from the
// name: timeouts.idle is HOLDFAST_TIMEOUTS_IDLE. A secret can also be read from a file that HOLDFAST_NAME_FILE points to. What is not in the table is an
// error that names the nearest setting: a misspelt safety setting must not be ignored in silence.
//
// [Load] returns the values together with where each came from.
package config
