# docker build -t derainbench .          see docs/install.md for mounted folders, GPUs and what else can be given
# Python is that of constraints.txt, whose versions the tests run with.
FROM python:3.11-slim-bookworm

# Where PyTorch comes from, beside PyPI. Of one version pip takes the one with a suffix (+cpu), which only this place has;
# https://download.pytorch.org/whl/cu126 (or another cuNNN that PyTorch is built for) gives one for GPUs.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
# Of pyproject.toml's extras: drive, piqe, tensorboard, ray, slurm.
ARG EXTRAS=drive

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

# What changes seldom first: the largest layer is made again only where the pinned versions change.
WORKDIR /opt/derainbench
COPY constraints.txt ./
RUN pip install -c constraints.txt --extra-index-url "$TORCH_INDEX" torch
COPY pyproject.toml ./
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > dependencies.txt \
    && pip install -c constraints.txt --extra-index-url "$TORCH_INDEX" -r dependencies.txt

COPY README.md LICENSE ./
COPY derainbench derainbench
COPY methods methods
COPY datasets datasets
COPY reports reports
COPY studies studies
RUN pip install -c constraints.txt --extra-index-url "$TORCH_INDEX" ".[$EXTRAS]" && rm -rf build ./*.egg-info

# Any user may run it (--user), so that what it writes into mounted folders is yours: home and cache are open to all, and
# whoever asks for the user's name gets one.
RUN useradd --create-home --uid 1000 derain && mkdir /cache /work && chmod 1777 /home/derain /cache /work
ENV HOME=/home/derain USER=derain LOGNAME=derain DERAINBENCH_CACHE=/cache
USER derain
WORKDIR /work

ENTRYPOINT ["derainbench"]
CMD ["--help"]
