// Package operator is what the programs have in common towards those who run
// them: a command line with exit codes, configuration in YAML whose faults are
// told with key, line and a suggestion, and logging.
//
// It knows nothing of calls.
package operator
