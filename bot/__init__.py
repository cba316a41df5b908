"""Zoetrope: a self-hosted bot that animates pictures in Discord and Slack.

The house has two wings, `bot` and `providers`, and one door between them, `providers.contract`. A module imports only
from lower floors (a test holds this), so the page reads from the top down:

    F7  __main__, commands             the command line
    F6  world                          builds everything once and hands it in
        chat.terminal                  a chat surface: its platform's words <-> ours
    F5  config intake worker           settings; the front desk; the only clock and the only retry
    F4  store schema media rules replies   rows, files, limits and sentences; these rooms do not know each other
    F3  jobs pace                      what a job is, what may happen to it, how often to look: pure
    F1  chat.contract  providers.catalog   the words between us and a chat; what each model can do
    F0  providers.contract providers.cage  the words between us and a vendor; limits for child processes

A job's life: `intake.accept` writes it, `worker.step` moves it, `jobs.NEXT` says which moves exist.
"""
