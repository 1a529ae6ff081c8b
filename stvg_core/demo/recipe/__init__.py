"""How the embedded model in ``stvg_core/demo/model`` was made: ``python -m stvg_core.demo.recipe --out
FOLDER``.

Four kinds of stage, each one file: vision (single images), motion (the lower language-model layers),
questions (yes/no with an attention loss) and questions again with the language-model loss alone.
"""
