"""Zoetrope: a self-hosted bot that animates pictures in Discord and Slack.

The house has two wings, `bot` and `providers`, and one door between them, `providers.contract`. A module imports only
from lower floors (a test holds this), so the page reads from the top down:

    F9  __main__, commands                 the command line
    F8  world                              builds everything once and hands it in
    F7  worker chat.terminal/discord/slack the only clock and the only retry; a chat's words <-> ours
        health                             what is counted and noticed, and the pages that say so
    F6  step upkeep                        one job, one move: a life from top to bottom; what is done every night
    F5  config intake hold backup          settings; the front desk, showing, elsewhere; a claimed job in our hands
    F4  store media rules replies          rows, files, limits, sentences (and environment): they do not know each other
    F3  jobs pace                          what a job is, what may happen to it, how often to look: pure
    F2  providers.local fal kling minimax  makers of videos; they never import each other
    F1  chat.contract underway download, logs; providers.catalog wire dialect batch
    F0  providers.contract providers.cage  the words between us and a vendor; limits for child processes

A job's life: `intake.accept` writes it, `step.Step` moves it, `jobs.NEXT` says which moves exist.
"""
