"""Zoetrope: a self-hosted bot that animates pictures in Discord and Slack.

The house has two wings, `bot` and `providers`, and one door between them, `providers.contract`. A room imports only
from the floors below its own, and never in a circle. A test reads this very table; the page reads from the top down:

    F17  bot.__main__                              the start
    F16  bot.cli                                   the command line
    F15  bot.app                                   builds everything once and hands it in
    F14  bot.adapters                              loads the providers and chats that are named in the settings
    F13  bot.config                                settings and secrets
    F12  bot.environment                           what the environment switches on
    F11  bot.web                                   the pages that are served over HTTP
    F10  bot.chats.terminal bot.chats.discord      events in, rendering out
         bot.chats.slack bot.ops                   what an operator does: backup, chores, logs, metrics
    F9   bot.engine                                the worker, and one job's life from top to bottom
    F8   bot.desk                                  what people can ask for, one module a use case
    F7   bot.store bot.files bot.media bot.text    rows; files; pictures and videos; sentences
    F6   bot.domain                                what a job is, what may happen to it, what is allowed: pure
    F5   bot.chats.download bot.chats.fields       what all chats do alike: read a picture and a form, say what is said
         bot.chats.conversation                    when
         bot.web.listener                          one listener for all that is asked by HTTP
    F4   bot.chats.contract bot.chats.underway     the words between us and any chat; one address that is served
         bot.web.server
    F3   providers.local providers.fal             providers of videos: they never import each other
         providers.kling providers.minimax
         bot.domain.options                        what a person may choose, declared once
    F2   providers.catalog providers.http          what providers share
         providers.mapping providers.batch
    F1   providers.transfer                        brings a video to a file
    F0   providers.contract providers.atomic       the words between us and a provider; files written whole or not
         providers.sandbox providers.network       at all, limits for sandboxes and ways to the outside, for both wings

A job's life: `desk.requests` writes it, `engine.step` moves it, `domain.job.NEXT` says which moves exist.
"""
